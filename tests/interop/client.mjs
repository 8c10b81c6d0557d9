// A client that nobody here wrote, panva's oauth4webapi, against the mock authorization server.
//
//   node client.mjs http://127.0.0.1:9000
//
// Each step is one line of JSON on standard output: {"step": "...", "ok": true, "saw": {...}}, and an "error" where it is
// not. The library checks what the RFCs demand of the answers; "saw" is for the test to judge besides.
import * as oauth from 'oauth4webapi';

const issuer = new URL(process.argv[2]);
const insecure = { [oauth.allowInsecureRequests]: true }; // plain http, on the loopback only
const CALLBACK = 'http://127.0.0.1:9999/callback';

const basic = (id) => oauth.ClientSecretBasic(`${id}-secret`);
const as = await oauth.processDiscoveryResponse(
  issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }));

// What is no part of OAuth: the control plane.
async function control(path, body) {
  const response = await fetch(`${issuer.origin}/_mock${path}`, body === undefined ? {} : {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`/_mock${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

const unescape = (text) => text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code))
  .replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');

// Log in as a person would, with one press of a button in the page that the browser is sent to.
async function logIn(url, sub) {
  const page = await fetch(url, { redirect: 'manual' });
  const html = await page.text();
  const action = html.match(/<form [^>]*action="([^"]*)"/);
  if (!action) throw new Error(`no login page: ${page.status} ${page.headers.get('location') ?? html}`);
  const form = new URLSearchParams({ user: sub });
  for (const [, name, value] of html.matchAll(/<input type="(?:hidden|checkbox)" name="([^"]*)" value="([^"]*)"(?: checked)?>/g)) {
    form.append(unescape(name), unescape(value));
  }
  const cookie = page.headers.getSetCookie().map((field) => field.split(';')[0]).join('; ');
  const target = new URL(unescape(action[1]), url);
  return fetch(target, { method: 'POST', body: form, redirect: 'manual', headers: { cookie, origin: target.origin } });
}

async function sentBack(url, sub) {
  const answer = await logIn(url, sub);
  const place = answer.headers.get('location');
  if (!place?.startsWith(CALLBACK)) throw new Error(`not sent back: ${answer.status} ${place ?? await answer.text()}`);
  return new URL(place);
}

async function codeFlow(client, authentication, { scope, push, DPoP }) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const nonce = scope.includes('openid') ? oauth.generateRandomNonce() : undefined;
  const parameters = {
    client_id: client.client_id, response_type: 'code', redirect_uri: CALLBACK, scope, state, ...(nonce && { nonce }),
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  };
  const url = new URL(as.authorization_endpoint);
  let asked = parameters;
  if (push) {
    const response = await oauth.pushedAuthorizationRequest(as, client, authentication, parameters, insecure);
    const pushed = await oauth.processPushedAuthorizationResponse(as, client, response);
    asked = { client_id: client.client_id, request_uri: pushed.request_uri };
  }
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
  const back = oauth.validateAuthResponse(as, client, await sentBack(url, 'alice'), state);
  const response = await oauth.authorizationCodeGrantRequest(as, client, authentication, back, CALLBACK, verifier, { ...insecure, DPoP });
  return oauth.processAuthorizationCodeResponse(as, client, response, { expectedNonce: nonce, requireIdToken: !!nonce });
}

async function clientCredentials(id, authentication = basic(id), parameters = { scope: 'read' }, options = {}) {
  const client = { client_id: id };
  const response = await oauth.clientCredentialsGrantRequest(as, client, authentication, parameters, { ...insecure, ...options });
  return oauth.processClientCredentialsResponse(as, client, response);
}

async function introspect(token, client = { client_id: 'rs' }) {
  const response = await oauth.introspectionRequest(as, client, basic(client.client_id), token, insecure);
  const answer = await oauth.processIntrospectionResponse(as, client, response);
  // Present only where the answer is a JWT (RFC 9701); the library leaves its signature to whoever wants it.
  if (client.introspection_signed_response_alg) await oauth.validateApplicationLevelSignature(as, response, insecure);
  return answer;
}

async function revoke(id, token, authentication = basic(id)) {
  await oauth.processRevocationResponse(
    await oauth.revocationRequest(as, { client_id: id }, authentication, token, insecure));
}

// The nonce of an answer that demands one is kept by the handle; the request is made again, once (RFC 9449 section 8).
async function againWithNonce(request) {
  try {
    return { nonce: false, answer: await request() };
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return { nonce: true, answer: await request() };
  }
}

const web = { client_id: 'web' };
const spa = { client_id: 'spa' };
let refreshToken;

const steps = {
  async discovery() {
    const response = await oauth.discoveryRequest(issuer, { algorithm: 'oidc', ...insecure });
    const oidc = await oauth.processDiscoveryResponse(issuer, response);
    return { issuer: as.issuer, same: JSON.stringify(oidc.token_endpoint) === JSON.stringify(as.token_endpoint) };
  },
  async client_credentials() {
    const { access_token, token_type, expires_in } = await clientCredentials('svc');
    const request = new Request('http://api.example.test/', { headers: { authorization: `Bearer ${access_token}` } });
    const claims = await oauth.validateJwtAccessToken(as, request, 'https://api.example.test', insecure);
    return { token_type, expires_in, client_id: claims.client_id, scope: claims.scope };
  },
  async client_secret_post() {
    const { token_type } = await clientCredentials('svc.post', oauth.ClientSecretPost('svc.post-secret'));
    return { token_type };
  },
  async private_key_jwt() {
    const { jwk } = await control('/clients/svc.jwt/key');
    const key = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
    const { token_type } = await clientCredentials('svc.jwt', oauth.PrivateKeyJwt({ key, kid: jwk.kid }));
    return { token_type };
  },
  async code_and_pkce() {
    const tokens = await codeFlow(web, basic('web'), { scope: 'openid offline_access read' });
    refreshToken = tokens.refresh_token;
    const { sub, aud } = oauth.getValidatedIdTokenClaims(tokens);
    const { active, username } = await introspect(tokens.access_token);
    return { sub, aud, active, username, refresh_token: typeof refreshToken };
  },
  async code_and_pkce_in_public() {
    const tokens = await codeFlow(spa, oauth.None(), { scope: 'read' });
    const { sub, client_id } = await introspect(tokens.access_token);
    return { sub, client_id };
  },
  async userinfo() {
    const tokens = await codeFlow(web, basic('web'), { scope: 'openid profile email' });
    const response = await oauth.userInfoRequest(as, web, tokens.access_token, insecure);
    const { sub, email } = await oauth.processUserInfoResponse(as, web, 'alice', response);
    return { sub, email };
  },
  async refresh() {
    const first = refreshToken;
    const response = await oauth.refreshTokenGrantRequest(as, web, basic('web'), first, insecure);
    const tokens = await oauth.processRefreshTokenResponse(as, web, response);
    refreshToken = tokens.refresh_token ?? first;
    return { rotated: refreshToken !== first, active: (await introspect(tokens.access_token)).active };
  },
  async revocation() {
    const opaque = await clientCredentials('svc.opaque');
    const before = (await introspect(opaque.access_token)).active;
    await revoke('svc.opaque', opaque.access_token);
    await revoke('svc.opaque', 'never-issued');
    return { before, after: (await introspect(opaque.access_token)).active };
  },
  async revocation_of_a_refresh_token() {
    await revoke('web', refreshToken);
    try {
      const response = await oauth.refreshTokenGrantRequest(as, web, basic('web'), refreshToken, insecure);
      await oauth.processRefreshTokenResponse(as, web, response);
    } catch (error) {
      return { error: error.error };
    }
    throw new Error('a revoked refresh token was taken');
  },
  async introspection() {
    const { access_token } = await clientCredentials('svc.opaque');
    const { active, client_id, scope, token_type, iss } = await introspect(access_token);
    return { active, client_id, scope, token_type, iss, unknown: await introspect('never-issued') };
  },
  async introspection_signed() {
    const caller = { client_id: 'rs.jwt', introspection_signed_response_alg: 'ES256' };
    const { access_token } = await clientCredentials('svc.opaque');
    const { active, client_id } = await introspect(access_token, caller);
    return { active, client_id, unknown: await introspect('never-issued', caller) };
  },
  async dpop() {
    const client = { client_id: 'svc.dpop' };
    const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'));
    const { nonce, answer } = await againWithNonce(() => clientCredentials('svc.dpop', undefined, undefined, { DPoP }));
    const { cnf, token_type } = await introspect(answer.access_token);
    return { nonce, token_type: answer.token_type, introspected: token_type, bound: cnf.jkt === await DPoP.calculateThumbprint() };
  },
  async dpop_with_a_nonce() {
    const client = { client_id: 'svc.dpop.nonce' };
    const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'));
    const { nonce, answer } = await againWithNonce(() => clientCredentials('svc.dpop.nonce', undefined, undefined, { DPoP }));
    return { nonce, token_type: answer.token_type };
  },
  async pushed_authorization_request() {
    const tokens = await codeFlow(web, basic('web'), { scope: 'openid read', push: true });
    return { sub: oauth.getValidatedIdTokenClaims(tokens).sub };
  },
  async resource_indicator() {
    const resource = 'https://orders.example.test/';
    const { access_token } = await clientCredentials('svc', undefined, { scope: 'read', resource });
    return { aud: [(await introspect(access_token)).aud].flat() };
  },
  async device() {
    const device = { client_id: 'device' };
    const response = await oauth.deviceAuthorizationRequest(as, device, oauth.None(), { scope: 'read' }, insecure);
    const { device_code, verification_uri, verification_uri_complete } = await oauth.processDeviceAuthorizationResponse(as, device, response);
    const poll = async () => oauth.processDeviceCodeResponse(
      as, device, await oauth.deviceCodeGrantRequest(as, device, oauth.None(), device_code, insecure));
    const pending = await poll().then(() => undefined, (error) => error.error);
    await logIn(new URL(verification_uri_complete), 'bob');
    await control('/clock', { advance: 10 }); // past the interval between two questions
    const tokens = await poll();
    return { pending, verification_uri, sub: (await introspect(tokens.access_token)).sub };
  },
  async token_exchange() {
    const { access_token } = await codeFlow(web, basic('web'), { scope: 'read write' });
    const service = { client_id: 'svc' };
    const response = await oauth.genericTokenEndpointRequest(as, service, basic('svc'), 'urn:ietf:params:oauth:grant-type:token-exchange', {
      subject_token: access_token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token', scope: 'read',
    }, insecure);
    const tokens = await oauth.processGenericTokenEndpointResponse(as, service, response);
    const { sub, client_id, scope } = await introspect(tokens.access_token);
    return { issued: tokens.issued_token_type, sub, client_id, scope };
  },
  async dpop_bound_code() {
    const DPoP = oauth.DPoP(spa, await oauth.generateKeyPair('ES256'));
    const tokens = await codeFlow(spa, oauth.None(), { scope: 'read', DPoP });
    const { cnf } = await introspect(tokens.access_token);
    return { token_type: tokens.token_type, bound: cnf.jkt === await DPoP.calculateThumbprint() };
  },
  async registration() {
    const response = await oauth.dynamicClientRegistrationRequest(as, {
      client_name: 'newcomer', grant_types: ['client_credentials'], redirect_uris: [], response_types: [], scope: 'read',
    }, insecure);
    const made = await oauth.processDynamicClientRegistrationResponse(response);
    const { token_type } = await clientCredentials(made.client_id, oauth.ClientSecretBasic(made.client_secret));
    return { token_type };
  },
};

for (const [step, run] of Object.entries(steps)) {
  let line;
  try {
    line = { step, ok: true, saw: await run() };
  } catch (error) {
    const cause = error.cause instanceof Response ? `${error.cause.status} ${await error.cause.clone().text().catch(() => '')}` : error.cause;
    line = { step, ok: false, error: `${error.name}: ${error.message}`, code: error.code, cause };
  }
  console.log(JSON.stringify(line, (_name, value) => (value instanceof Error ? String(value) : value)));
}
