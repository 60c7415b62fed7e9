# The operator's commands for a deployed stack, which STACK names.
OPERATE := $(PY) -m operations

.PHONY: connect doctor rotate-keys unlock erase destroy

# Handed on by the environment, so that a shell reads nothing into them.
export STACK NUMBER

connect: setup ## Store the Twilio credentials of a stack and point its senders at it (STACK=otp-feedback-dev)
	@$(OPERATE) connect --stack "$$STACK" $(ARGS)

doctor: setup ## Check a deployed stack, and say what to do about what is wrong (STACK=otp-feedback-dev)
	@$(OPERATE) doctor --stack "$$STACK" $(ARGS)

rotate-keys: setup ## Have a new key sign a stack's secrets from now on (STACK=otp-feedback-dev)
	@$(OPERATE) rotate-keys --stack "$$STACK" $(ARGS)

unlock: setup ## Forget a number's wrong guesses (STACK=otp-feedback-dev NUMBER=+…, or asked for)
	@$(OPERATE) unlock --stack "$$STACK" --number "$$NUMBER" $(ARGS)

erase: setup ## Erase what a stack holds of a number (STACK=otp-feedback-dev NUMBER=+…, or asked for)
	@$(OPERATE) erase --stack "$$STACK" --number "$$NUMBER" $(ARGS)

destroy: setup ## Take a stack off its senders and delete it (STACK=otp-feedback-dev, ARGS=--data for its table and secret, too)
	@$(OPERATE) destroy --stack "$$STACK" $(ARGS)
