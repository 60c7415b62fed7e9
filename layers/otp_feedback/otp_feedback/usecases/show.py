"""Show a verification to the caller."""

from otp_feedback.domain.errors import UnknownVerification
from otp_feedback.domain.verification import Verification
from otp_feedback.usecases.ports import Verifications


def show(verifications: Verifications, verification_id: str) -> Verification:
    """The verification as it stands.

    Raises
    ------
    UnknownVerification
    """
    verification = verifications.read(verification_id)
    if verification is None:
        raise UnknownVerification
    return verification
