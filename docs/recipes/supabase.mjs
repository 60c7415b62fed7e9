// Behind Supabase Auth: a Send SMS hook that sends Supabase's own code, and the call that tells of the user's success.
// https://supabase.com/docs/guides/auth/auth-hooks/send-sms-hook
//
// Runs wherever Request, Response, fetch and crypto.subtle are (Supabase Edge Functions, Node 20, Cloudflare Workers).
// The stack is deployed with JwtIssuer and JwtAudience; `token()` gives a token of that issuer.

const encoder = new TextEncoder();

async function call(env, path, body) {
  return fetch(env.OTP_API + path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${await env.token()}` },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(4000),
  });
}

// Standard Webhooks (https://www.standardwebhooks.com): "v1,<base64 HMAC-SHA256 of id.timestamp.body>".
async function isFromSupabase(secret, headers, body) {
  const [id, at, sent] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => headers.get(name) ?? "");
  if (!(Math.abs(Date.now() / 1000 - Number(at)) < 300)) return false;
  const raw = Uint8Array.from(atob(secret.replace("v1,whsec_", "")), (character) => character.charCodeAt(0));
  const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  const signed = encoder.encode(`${id}.${at}.${body}`);
  for (const part of sent.split(" ")) {
    const signature = Uint8Array.from(atob(part.replace(/^v1,/, "")), (character) => character.charCodeAt(0));
    if (await crypto.subtle.verify("HMAC", key, signature, signed)) return true;
  }
  return false;
}

// What fails in here is logged by its kind alone and keeps no user out.
async function harmless(step, action) {
  try {
    await action();
  } catch (error) {
    console.warn(`${step} failed: ${error?.name}`);
  }
}

// `env.verifications` is yours: something that keeps a user's verification for ten minutes.
export async function sendSmsHook(request, env) {
  const body = await request.text();
  if (!(await isFromSupabase(env.HOOK_SECRET, request.headers, body))) return new Response("{}", { status: 401 });
  const { user, sms } = JSON.parse(body);
  // `sms.phone` is where this code goes (supabase/auth PR #2160); before it, a number that is being added or changed was
  // `new_phone`, with the old one or none in `phone`. They come without a plus sign.
  const phone = sms.phone || user.new_phone || user.phone || "";
  const to = phone.startsWith("+") ? phone : `+${phone}`;
  const answer = await call(env, "/verifications", { to, action: "caller", secret: sms.otp, reference: user.id });
  if (!answer.ok) {
    const { detail } = await answer.json();
    return Response.json({ error: { http_code: answer.status, message: detail } });
  }
  const { verification_id: verification } = await answer.json();
  await harmless("remembering", () => env.verifications.set(user.id, verification));
  return Response.json({});
}

// Call it where `verifyOtp` or `mfa.verify` has succeeded with a code from a text message, with the user's id.
export async function confirmed(userId, env) {
  await harmless("confirming", async () => {
    const verification = await env.verifications.get(userId);
    if (verification) await call(env, `/verifications/${verification}/confirm`, { message: 1 });
  });
}
