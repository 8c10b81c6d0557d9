// A judge of requests and of challenges that nobody here wrote: panva's oauth4webapi, asked line by line.
//
//   node oracle.mjs
//
// Each line on standard input is a question in JSON, each line on standard output the answer to it, in the same order:
//
//   {"now": seconds, "audience": "...", "issuers": {"name": {"issuer": "...", "jwks": {...}}}}    -> {"ready": true}
//   {"cases": [{"world": "name", "tolerance": seconds, "method": "GET", "url": "...", "headers": [[name, value]]}]}
//                                                             -> {"verdicts": [{"claims": {...}} or {"refused": "code"}]}
//   {"challenges": ["a WWW-Authenticate field value"]}        -> {"parsed": [[{"scheme", "parameters"}] or null]}
//
// Field values are the bytes of the field, one character for each.
import { createInterface } from 'node:readline';
import * as oauth from 'oauth4webapi';

let now = 0;
let audience;
const worlds = new Map();
Date.now = () => now * 1000; // the library asks nothing else for the time, and leaves fractions of seconds out

function begin(question) {
  ({ now, audience } = question);
  for (const [name, { issuer, jwks }] of Object.entries(question.issuers)) {
    worlds.set(name, { as: { issuer, jwks_uri: `${issuer}/jwks` }, cache: { jwks, uat: now } });
  }
  return { ready: true };
}

async function judge({ world, tolerance, method, url, headers }) {
  const { as, cache } = worlds.get(world);
  try {
    const fields = new Headers();
    for (const [name, value] of headers) fields.append(name, value);
    const request = new Request(url, { method, headers: fields });
    const options = { [oauth.jwksCache]: cache, [oauth.clockTolerance]: tolerance };
    return { claims: await oauth.validateJwtAccessToken(as, request, audience, options) };
  } catch (error) {
    return { refused: error.code ?? error.name, why: error.message };
  }
}

async function parse(value) {
  try {
    await oauth.processRevocationResponse(new Response(null, { status: 401, headers: { 'www-authenticate': value } }));
  } catch (error) {
    if (error instanceof oauth.WWWAuthenticateChallengeError) return error.cause;
  }
  return null;
}

async function answer(question) {
  if (question.cases) return { verdicts: await Promise.all(question.cases.map(judge)) };
  if (question.challenges) return { parsed: await Promise.all(question.challenges.map(parse)) };
  return begin(question);
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
}
