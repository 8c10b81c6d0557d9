// A client that nobody here wrote, panva's oauth4webapi, against a resource server: it finds out who issues tokens for
// it, gets one that is bound to its key, and calls.
//
//   node caller.mjs https://api.example.test http://127.0.0.1:8000
//
// The first address is what the resource server is called, the second where it is. Each step is one line of JSON on
// standard output: {"step": "...", "saw": {...}}, or an "error" where the library is not content.
import * as oauth from 'oauth4webapi';

const [resource, place] = process.argv.slice(2);
const options = {
  [oauth.allowInsecureRequests]: true, // the authorization server: plain http, on the loopback only
  [oauth.customFetch]: (url, request) => fetch(url.replace(resource, place), request),
};
const client = { client_id: 'svc.dpop' };
const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'));
const things = new URL(`${resource}/things?page=1`);
let metadata;
let token;

async function call(method, url, with_) {
  try {
    const response = await oauth.protectedResourceRequest(token, method, url, new Headers(), null, { ...options, ...with_ });
    return { status: response.status };
  } catch (error) {
    if (!(error instanceof oauth.WWWAuthenticateChallengeError)) throw error;
    const challenges = error.cause.map(({ scheme, parameters }) => ({ scheme, error: parameters.error, algs: parameters.algs }));
    return { status: error.status, nonce: oauth.isDPoPNonceError(error), challenges, metadata: error.cause[0].parameters.resource_metadata };
  }
}

const steps = {
  async metadata() {
    const response = await oauth.resourceDiscoveryRequest(new URL(resource), options);
    metadata = await oauth.processResourceDiscoveryResponse(new URL(resource), response);
    return { resource: metadata.resource, servers: metadata.authorization_servers.length, dpop: metadata.dpop_signing_alg_values_supported };
  },
  async token() {
    const issuer = new URL(metadata.authorization_servers[0]);
    const as = await oauth.processDiscoveryResponse(
      issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options }));
    const response = await oauth.clientCredentialsGrantRequest(
      as, client, oauth.ClientSecretBasic('svc.dpop-secret'), { scope: 'read' }, { ...options, DPoP });
    const answer = await oauth.processClientCredentialsResponse(as, client, response);
    token = answer.access_token;
    return { token_type: answer.token_type };
  },
  first_call: () => call('GET', things, { DPoP }), // without a nonce; the library keeps the one that comes back
  second_call: () => call('GET', things, { DPoP }),
  third_call: () => call('HEAD', things, { DPoP }),
  other_route: () => call('GET', new URL(`${resource}/both`), { DPoP }),
  as_bearer: () => call('GET', things, {}),
};

for (const [step, run] of Object.entries(steps)) {
  try {
    console.log(JSON.stringify({ step, saw: await run() }));
  } catch (error) {
    console.log(JSON.stringify({ step, error: `${error.name}: ${error.message}`, code: error.code, cause: String(error.cause) }));
  }
}
