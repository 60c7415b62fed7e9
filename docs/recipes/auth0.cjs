// Behind Auth0: a custom phone provider Action that sends Auth0's own code, and a post-login Action that tells of success.
// https://auth0.com/docs/customize/phone-messages/configure-phone-messaging-providers/configure-a-custom-phone-provider
//
// Secrets of both Actions: OTP_API, OTP_TOKEN (a token of the issuer that the stack was deployed with).

async function call(event, path, body) {
  return fetch(event.secrets.OTP_API + path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${event.secrets.OTP_TOKEN}` },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(5000),
  });
}

// What fails in here is logged by its kind alone and keeps no user out.
async function harmless(step, action) {
  try {
    await action();
  } catch (error) {
    console.warn(`${step} failed: ${error?.name}`);
  }
}

// `store` is yours: something that both Actions reach and that keeps what belongs to a user for ten minutes.
exports.onExecuteCustomPhoneProvider = async (event, api, store) => {
  const { recipient, code, delivery_method: method } = event.notification;
  if (method !== "text" || !code) return api.notification.drop("only codes by text go this way");
  const at = Date.now();
  const answer = await call(event, "/verifications", { to: recipient, action: "caller", secret: code });
  if (answer.status >= 500) return api.notification.retry("OTP Feedback is not available");
  if (!answer.ok) return api.notification.drop((await answer.json()).detail);
  const { verification_id: verification } = await answer.json();
  await harmless("remembering", () => store.set(event.user.user_id, { verification, at }));
};

// `methods` holds what the whole session saw, other factors and earlier logins too: a code by text since it was sent counts.
const isByText = ({ name, type }) => name === "sms" || name === "phone" || (name === "mfa" && type === "phone");

exports.onExecutePostLogin = async (event, api, store) => {
  const byText = (event.authentication?.methods ?? []).filter(isByText);
  await harmless("confirming", async () => {
    const sent = byText.length ? await store.get(event.user.user_id) : undefined;
    if (!sent || !byText.some(({ timestamp }) => Date.parse(timestamp) >= sent.at)) return;
    await call(event, `/verifications/${sent.verification}/confirm`, { message: 1 });
  });
};
