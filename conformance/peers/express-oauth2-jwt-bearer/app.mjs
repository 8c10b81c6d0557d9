// An API of Express behind express-oauth2-jwt-bearer, as its README shows it.
import { createRequire } from "node:module";

// The packages are in an environment of their own, not beside this file.
const require = createRequire(`${process.cwd()}/${process.env.NODE_ENVIRONMENT}/`);
const express = require("express");
const { auth, requiredScopes } = require("express-oauth2-jwt-bearer");

const app = express();
app.get("/public", (request, response) => response.json({ ok: true }));

const { ISSUER: issuer, JWKS_URI: jwksUri, AUDIENCE: audience } = process.env;
app.use(auth({ issuer, jwksUri, audience, tokenSigningAlg: "RS256" }));

const answer = (request, response) => response.json({ ok: true });
app.get("/read", requiredScopes("read"), answer);
app.get("/write", requiredScopes("write"), answer);
app.get("/both", requiredScopes("read write"), answer);
app.post("/things", requiredScopes("write"), express.json(), (request, response) =>
  response.status(201).json({ item: request.body.item }),
);

app.listen(Number(process.env.PORT), "127.0.0.1");
