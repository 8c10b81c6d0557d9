// A certified authorization server, panva's oidc-provider, as the independent judge of the scenarios.
//
//   npm install --no-package-lock && PORT=4000 node server.mjs
//
// One line of JSON on standard output says that connections are accepted: {"ready":true,"issuer":"http://127.0.0.1:4000",...}
// Environment: PORT (0 for any that is free), HOST (127.0.0.1), ISSUER (by default http://HOST:PORT).
// For tests only, beside OAuth: GET /_/health, GET /_/stats, GET /_/client-key (the private key of svc-pkjwt and rs-pkjwt),
// POST /_/rotate (new signing keys, the old ones gone), POST /_/clock {"offset": seconds}.
import { createServer } from 'node:http';
import { generateKeyPairSync, createHash, X509Certificate } from 'node:crypto';
import { Provider, errors } from 'oidc-provider';

const HOST = process.env.HOST ?? '127.0.0.1';
const started = process.hrtime.bigint();

// ---------------------------------------------------------------- signing keys
const thumb = ({ kty, crv, e, n, x, y }) => createHash('sha256').update(JSON.stringify(
  kty === 'RSA' ? { e, kty, n } : kty === 'EC' ? { crv, kty, x, y } : { crv, kty, x },
)).digest('base64url');
const jwk = (type, opts, extra) => {
  const k = generateKeyPairSync(type, opts).privateKey.export({ format: 'jwk' });
  return { ...k, kid: thumb(k).slice(0, 16), use: 'sig', ...extra };
};

// The whole server goes by this clock: it asks nothing but Date.now.
let offset = 0;
const realNow = Date.now;
Date.now = () => realNow() + offset * 1000;

const newKeys = () => ({
  keys: [
    jwk('rsa', { modulusLength: 2048 }),                    // RS256 / PS256
    jwk('ec', { namedCurve: 'P-256' }, { alg: 'ES256' }),
    jwk('ed25519', {}),                                     // Ed25519 / EdDSA
  ],
});
const clientKey = jwk('ec', { namedCurve: 'P-256' }, { alg: 'ES256' }); // for svc-pkjwt and rs-pkjwt
const { d: _private, ...clientPublicKey } = clientKey;

// ---------------------------------------------------------------- storage
// The bundled MemoryAdapter is an LRU of 1000: it forgets live opaque tokens under load.
const store = new Map(); const grants = new Map();
class MapAdapter {
  constructor(model) { this.model = model; }
  key(id) { return `${this.model}:${id}`; }
  async upsert(id, payload, expiresIn) {
    store.set(this.key(id), { payload, exp: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
    if (payload.grantId) (grants.get(payload.grantId) ?? grants.set(payload.grantId, new Set()).get(payload.grantId)).add(this.key(id));
  }
  async find(id) {
    const hit = store.get(this.key(id));
    if (hit && hit.exp <= Date.now()) { store.delete(this.key(id)); return undefined; }
    return hit?.payload;
  }
  async #by(prop, value) { for (const [k, v] of store) if (k.startsWith(`${this.model}:`) && v.payload[prop] === value) return v.payload; return undefined; }
  async findByUid(uid) { return this.#by('uid', uid); }
  async findByUserCode(code) { return this.#by('userCode', code); }
  async consume(id) { const hit = store.get(this.key(id)); if (hit) hit.payload.consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { store.delete(this.key(id)); }
  async revokeByGrantId(grantId) { for (const k of grants.get(grantId) ?? []) store.delete(k); grants.delete(grantId); }
}

// ---------------------------------------------------------------- resource servers (RFC 8707)
const SCOPE = 'read write admin';
const RESOURCES = {
  'https://api.example/opaque': { scope: SCOPE, accessTokenTTL: 3600 },
  'https://api.example/opaque-short': { scope: SCOPE, accessTokenTTL: 2 },
  'https://api.example/jwt': { scope: SCOPE, accessTokenTTL: 3600, accessTokenFormat: 'jwt' },                                     // RS256
  'https://api.example/jwt-es256': { scope: SCOPE, accessTokenTTL: 3600, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } },
  'https://api.example/jwt-eddsa': { scope: SCOPE, accessTokenTTL: 3600, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'EdDSA' } } },
  'https://api.example/jwt-short': { scope: SCOPE, accessTokenTTL: 2, accessTokenFormat: 'jwt' },
};
const DEFAULT_RESOURCE = 'https://api.example/opaque';

// ---------------------------------------------------------------- clients
const machine = (client_id, extra = {}) => ({
  client_id, client_secret: `${client_id}-secret`, grant_types: ['client_credentials'],
  response_types: [], redirect_uris: [], scope: SCOPE, ...extra,
});
const resourceServer = (client_id, extra = {}) => ({
  client_id, client_secret: `${client_id}-secret`, grant_types: [], response_types: [], redirect_uris: [], ...extra,
});
const clients = [
  machine('svc-basic'),                                                          // client_secret_basic
  machine('svc-post', { token_endpoint_auth_method: 'client_secret_post' }),
  machine('svc-pkjwt', { client_secret: undefined, token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256', jwks: { keys: [clientPublicKey] } }),
  machine('svc-dpop', { dpop_bound_access_tokens: true }),                       // DPoP mandatory
  machine('svc-mtls', { tls_client_certificate_bound_access_tokens: true }),     // cnf.x5t#S256
  machine('svc-readonly', { scope: 'read' }),
  { client_id: 'webapp', client_secret: 'webapp-secret', grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'], redirect_uris: ['http://127.0.0.1:9999/cb'], scope: `openid offline_access ${SCOPE}` },
  { client_id: 'device', token_endpoint_auth_method: 'none', redirect_uris: [], response_types: [],
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'], scope: `openid offline_access ${SCOPE}` },
  resourceServer('rs-plain'),                                                    // RFC 9701 with RS256 when Accept asks
  resourceServer('rs-jwt', { introspection_signed_response_alg: 'RS256' }),      // the same, registered so
  resourceServer('rs-jwt-es256', { introspection_signed_response_alg: 'ES256' }),
  resourceServer('rs-jwt-ed25519', { introspection_signed_response_alg: 'Ed25519' }),
  resourceServer('rs-jwt-eddsa', { introspection_signed_response_alg: 'EdDSA' }),
  resourceServer('rs-pkjwt', { client_secret: undefined, token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256', jwks: { keys: [clientPublicKey] } }),
  resourceServer('rs-denied'),                                                   // authenticates, may not introspect
];
const MAY_INTROSPECT = new Set(['rs-plain', 'rs-jwt', 'rs-jwt-es256', 'rs-jwt-ed25519', 'rs-jwt-eddsa', 'rs-pkjwt']);

// ---------------------------------------------------------------- provider
const configuration = {
  adapter: MapAdapter, clients,
  scopes: ['openid', 'offline_access', 'read', 'write', 'admin'],
  cookies: { keys: ['interop-test-only'] },
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
  findAccount: async (_ctx, sub) => ({ accountId: sub, claims: async () => ({ sub, name: sub, email: `${sub}@example.test`, email_verified: true }) }),
  extraTokenClaims: async (_ctx, token) => ({ tenant: 'acme', username: token.accountId }),
  features: {
    devInteractions: { enabled: true },                       // login + consent pages, any user/password
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: {
      enabled: true,
      // the RS clients see every token; a client sees its own; everyone else gets {"active":false}
      allowedPolicy: async (_ctx, client, token) => MAY_INTROSPECT.has(client.clientId) || token.clientId === client.clientId,
    },
    jwtIntrospection: { enabled: true },                      // RFC 9701
    revocation: { enabled: true },                            // RFC 7009
    dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 7), requireNonce: (ctx) => ctx.get('x-require-dpop-nonce') === '1' },
    mTLS: {                                                   // cert taken from RFC 9440 Client-Cert header: plain HTTP is enough
      enabled: true, certificateBoundAccessTokens: true,
      getCertificate: (ctx) => { const h = ctx.get('client-cert'); return h ? new X509Certificate(Buffer.from(h.replaceAll(':', ''), 'base64')) : undefined; },
      certificateAuthorized: () => true, certificateSubjectMatches: () => true,
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: async (_ctx, _client, oneOf) => oneOf ?? DEFAULT_RESOURCE,
      useGrantedResource: async () => true,
      getResourceServerInfo: async (_ctx, resource) => {
        if (!Object.hasOwn(RESOURCES, resource)) throw new errors.InvalidTarget('unknown resource');
        return { audience: resource, ...RESOURCES[resource] };
      },
    },
  },
};

const server = createServer();
server.listen(Number(process.env.PORT ?? 4000), HOST, () => {
  const issuer = process.env.ISSUER ?? `http://${HOST}:${server.address().port}`;
  // The tokens outlive a provider, its keys do not: they are the adapter's.
  const provide = () => {
    const provider = new Provider(issuer, { ...configuration, jwks: newKeys() });
    provider.on('server_error', (_ctx, err) => console.error('server_error', err));
    return provider.callback();
  };
  let oauth = provide();
  const counts = {};
  const json = (res, status, body) => { res.writeHead(status, { 'content-type': 'application/json' }); res.end(JSON.stringify(body)); };
  server.on('request', (req, res) => {
    const path = req.url.split('?')[0];
    if (path === '/_/health') return json(res, 200, { ok: true, issuer });
    if (path === '/_/stats') return json(res, 200, { counts, stored: store.size, rss: process.memoryUsage().rss });
    if (path === '/_/client-key') return json(res, 200, clientKey);
    if (path === '/_/rotate' && req.method === 'POST') { oauth = provide(); return json(res, 200, { rotated: true }); }
    if (path === '/_/clock' && req.method === 'POST') {
      let body = '';
      req.on('data', (part) => { body += part; });
      req.on('end', () => { offset = JSON.parse(body).offset; json(res, 200, { now: Date.now() / 1000 }); });
      return undefined;
    }
    counts[path] = (counts[path] ?? 0) + 1;                   // lets a test assert "the RS introspected once"
    return oauth(req, res);
  });
  console.log(JSON.stringify({
    ready: true, issuer, pid: process.pid, startup_ms: Number((process.hrtime.bigint() - started) / 1000000n),
    introspection_endpoint: `${issuer}/token/introspection`, jwks_uri: `${issuer}/jwks`, token_endpoint: `${issuer}/token`,
  }));
});
for (const s of ['SIGINT', 'SIGTERM']) process.on(s, () => server.close(() => process.exit(0)) && server.closeAllConnections());
