// A real OpenID Connect provider (the certified package oidc-provider) for tests. Settings are in the variable PROVIDER:
// {port, redirectUri, clientId, clientSecret, accounts: {subject: claims}}. Its sign-in page has one button per account.
import { createServer } from "node:http";
import Provider from "oidc-provider";

const { port, redirectUri, clientId, clientSecret, accounts } = JSON.parse(process.env.PROVIDER);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: clientId, client_secret: clientSecret, redirect_uris: [redirectUri] }],
  claims: { email: ["email", "email_verified"], profile: ["preferred_username"] },
  cookies: { keys: ["only for tests"] },
  features: { devInteractions: { enabled: false } },
  pkce: { methods: ["S256"], required: () => true },
  findAccount: (_, sub) => accounts[sub] && { accountId: sub, claims: () => ({ sub, ...accounts[sub] }) },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  // Consent is granted already.
  async loadExistingGrant({ oidc }) {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope("openid email profile");
    await grant.save();
    return grant;
  },
});

function button(subject) {
  return `<form method="post"><button name="account" value="${subject}">Continue as ${subject}</button></form>`;
}

createServer(async (request, response) => {
  if (!request.url.startsWith("/interaction/")) return provider.callback()(request, response);
  if (request.method === "GET") {
    response.setHeader("Content-Type", "text/html");
    return response.end(`<!doctype html><title>Provider</title><link rel="icon" href="data:,">${Object.keys(accounts).map(button).join("")}`);
  }
  let body = "";
  for await (const chunk of request) body += chunk;
  const accountId = new URLSearchParams(body).get("account");
  await provider.interactionFinished(request, response, { login: { accountId } }, { mergeWithLastSubmission: false });
}).listen(port, "127.0.0.1");
