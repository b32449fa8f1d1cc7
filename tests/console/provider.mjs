// An identity provider: a certified implementation of OpenID Connect, with people of which each name says what they may.
//
//     node provider.mjs PORT ISSUER CLIENT SECRET REDIRECT
import { createServer } from "node:http";
import Provider from "oidc-provider";

const [port, issuer, client, secret, redirect] = process.argv.slice(2);
const GROUPS = { "lin.audit": ["staff", "audit"], "wei.admin": ["admin"], "guest": ["visitors"], "both": ["audit", "admin"], "lin.auditor": ["audit"] };

const provider = new Provider(issuer, {
  clients: [{ client_id: client, client_secret: secret, redirect_uris: [redirect], response_types: ["code"] }],
  pkce: { required: () => true },
  // In the ID token itself, as most providers have them.
  conformIdTokenClaims: false,
  claims: { openid: ["sub"], profile: ["preferred_username", "groups"] },
  features: { devInteractions: { enabled: true } },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, preferred_username: id, groups: GROUPS[id] ?? [] }) }),
});
createServer(provider.callback()).listen(Number(port), "127.0.0.1", () => console.log("ready"));
