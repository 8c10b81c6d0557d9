"""Signatures: which verify, and which of the many that almost do.

The wrong signatures are of the kinds that Project Wycheproof collects, made anew with fresh keys.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from resource_server._protocol import jose
from resource_server._protocol.jwe import parse_jwe
from resource_server._protocol.jwks import ALGORITHMS, read_key
from resource_server._protocol.jws import JWS, parse_jws
from resource_server._validation.verdict import Active, Inactive
from tests.support.jwe import EncryptionKey, encrypt, encryption_key
from tests.support.jwt import (
    REMOVED,
    SigningKey,
    access_token,
    claims,
    der,
    ecdsa_twin,
    header,
    join_rs,
    sign,
    signing_key,
    with_signature,
)
from tests.support.local import judge

BAD = Inactive("bad_signature")
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


def parts(token: str) -> tuple[bytes, bytes]:
    """Return what was signed, and the signature."""
    jws = parse_jws(token.encode())
    assert jws is not None
    return jws.signing_input, jws.signature


def imported(key: SigningKey) -> Key:
    """Import a key the way the product does, for any algorithm of its type."""
    public = read_key(key.jwk(alg=None))
    assert public is not None
    native = jose.import_key(public)
    assert native is not None
    return native


def jws_of(algorithm: str, content: bytes, signature: bytes) -> JWS:
    """Make the parsed form of a token with this signature."""
    return JWS(algorithm, None, "at+jwt", b"{}", content, signature)


@pytest.mark.rfc("9068-2.1-a", "9068-4-d", "7515-10.6-a")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_good_signature(algorithm: str) -> None:
    """RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2: a signature of every supported algorithm verifies."""
    key = signing_key(algorithm)
    assert isinstance(judge(access_token(key), key), Active)


@pytest.mark.parametrize(("named", "published"), [("EdDSA", "Ed25519"), ("Ed25519", "EdDSA"), ("EdDSA", None)])
def test_two_names_for_ed25519(named: str, published: str | None) -> None:
    """RFC 9864 §2.2: EdDSA and Ed25519 name the same signature, whichever of them token and key use."""
    key = signing_key("Ed25519")
    assert isinstance(judge(access_token(key, head={"alg": named}), key.jwk(alg=published)), Active)


@pytest.mark.rfc("9068-4-d")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_another_key(algorithm: str) -> None:
    """RFC 9068 §4: a signature of another key does not verify, though the token names ours."""
    ours, other = signing_key(algorithm), signing_key(algorithm, "other")
    assert judge(access_token(other, head={"kid": ours.kid}), ours) == BAD


@pytest.mark.rfc("9068-4-d")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_changed_content(algorithm: str) -> None:
    """RFC 7515 §5.2: a signature covers header and payload, and each bit of itself."""
    key = signing_key(algorithm)
    content, signature = parts(access_token(key))
    native = imported(key)
    assert jose.verify_signature(jws_of(algorithm, content, signature), native)
    assert not jose.verify_signature(jws_of(algorithm, content + b"x", signature), native)
    assert not jose.verify_signature(jws_of(algorithm, b"", signature), native)
    for position in (0, len(signature) // 2, len(signature) - 1):
        flipped = bytes(byte ^ (index == position) for index, byte in enumerate(signature))
        assert not jose.verify_signature(jws_of(algorithm, content, flipped), native)


@pytest.mark.rfc("9068-4-d", "7518-3.4-a")
@pytest.mark.attack("A-J-15", "A-J-1")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    "resize",
    [
        pytest.param(lambda _: 0, id="nothing"),
        pytest.param(lambda _: 1, id="one byte"),
        pytest.param(lambda size: size // 2, id="half"),
        pytest.param(lambda size: size - 1, id="a byte less"),
        pytest.param(lambda size: size + 1, id="a byte more"),
        pytest.param(lambda size: size * 2, id="twice"),
        pytest.param(lambda _: 10_000, id="absurdly long"),
    ],
)
def test_length(algorithm: str, resize: Callable[[int], int]) -> None:
    """RFC 7518 §3.3 and §3.4, RFC 8032 §5.1.7: a signature has exactly the length its algorithm gives it."""
    key = signing_key(algorithm)
    token = access_token(key)
    _, signature = parts(token)
    size = resize(len(signature))
    resized = signature[:size].ljust(size, b"\x00")
    assert judge(with_signature(token, resized), key) == BAD


@pytest.mark.rfc("7518-3.4-a")
@pytest.mark.attack("A-J-15")
@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512"])
def test_der_form(algorithm: str) -> None:
    """RFC 7518 §3.4: an ECDSA signature in the ASN.1 form of X.509 is none here."""
    key = signing_key(algorithm)
    token = access_token(key)
    assert judge(with_signature(token, der(parts(token)[1])), key) == BAD


@pytest.mark.rfc("7518-3.4-a")
@pytest.mark.attack("A-J-15")
@pytest.mark.parametrize(
    ("r", "s"),
    [
        pytest.param(0, 0, id="zero and zero"),
        pytest.param(0, 1, id="R zero"),
        pytest.param(1, 0, id="S zero"),
        pytest.param(1, 1, id="one and one"),
        pytest.param(P256_ORDER, P256_ORDER, id="the order twice"),
        pytest.param(P256_ORDER, 0, id="the order and zero"),
        pytest.param(P256_ORDER - 1, P256_ORDER - 1, id="the order less one"),
        pytest.param(P256_ORDER + 1, 1, id="the order and one more"),
        pytest.param(2**256 - 1, 2**256 - 1, id="all bits"),
    ],
)
def test_ecdsa_numbers(r: int, s: int) -> None:
    """RFC 7518 §3.4, FIPS 186: R and S lie between zero and the order; made-up ones verify nothing."""
    key = signing_key("ES256")
    assert judge(with_signature(access_token(key), join_rs(r, s, 32)), key) == BAD


@pytest.mark.attack("A-J-15")
@pytest.mark.parametrize(("size", "padding"), [(33, b""), (32, b"\x00"), (48, b"")])
def test_ecdsa_width(size: int, padding: bytes) -> None:
    """RFC 7518 §3.4: R and S have the width of the curve, so that no signature can be written in two ways."""
    key = signing_key("ES256")
    token = access_token(key)
    signature = parts(token)[1]
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    assert judge(with_signature(token, padding + join_rs(r, s, size)), key) == BAD


@pytest.mark.rfc("7518-3.4-a")
@pytest.mark.attack("A-J-15")
@pytest.mark.parametrize(("named", "signer"), [("ES256", "ES384"), ("ES384", "ES256"), ("ES512", "ES256")])
def test_curve_of_another_algorithm(named: str, signer: str) -> None:
    """RFC 7518 §3.4: ES256 goes with P-256 and nothing else, also where the key does not say what it is for."""
    key = signing_key(signer)
    token = sign(header(key, alg=named), claims(), key, named)
    assert judge(token, key.jwk(alg=None)) == Inactive("unknown_key")
    content, signature = parts(token)
    assert not jose.verify_signature(jws_of(named, content, signature), imported(key))


@pytest.mark.attack("A-J-14")
@pytest.mark.parametrize("algorithm", ["ES256", "ES384"])
def test_ecdsa_twin_verifies(algorithm: str) -> None:
    """FIPS 186: (r, n - s) verifies wherever (r, s) does: one token has two spellings, and one jti, to be denied by."""
    key = signing_key(algorithm)
    token = access_token(key)
    twin = with_signature(token, ecdsa_twin(parts(token)[1], key))
    first, second = judge(token, key), judge(twin, key)
    assert twin != token
    assert isinstance(first, Active)
    assert first == second
    assert first.principal.token_id == "token-1"


@pytest.mark.rfc("7515-10.6-a")
@pytest.mark.attack("A-J-15")
def test_rsa_number_in_another_form() -> None:
    """RFC 8017 §8.2.2: an RSA signature is below the modulus and as long as it: no zero in front, no modulus added."""
    key = signing_key("RS256")
    assert isinstance(key.private, rsa.RSAPrivateKey)
    modulus = key.private.public_key().public_numbers().n
    token = access_token(key)
    number = int.from_bytes(parts(token)[1], "big")
    forms = [b"\x00" + number.to_bytes(256, "big"), (number + modulus).to_bytes(257, "big"), bytes(256), b"\xff" * 256]
    if number + modulus < 2**2048:
        forms.append((number + modulus).to_bytes(256, "big"))
    assert [judge(with_signature(token, form), key) for form in forms] == [BAD] * len(forms)


def pkcs1(prefix: bytes, filler: bytes, content: bytes) -> int:
    """Make the number an RSA signature is the root of, out of a block that is not quite the standard's."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(content)
    end = prefix + digest.finalize()
    return int.from_bytes(b"\x00\x01" + filler + b"\x00" + end, "big")


SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


@pytest.mark.rfc("7515-10.6-a")
@pytest.mark.attack("A-J-15")
@pytest.mark.parametrize(
    ("info", "filler", "good"),
    [
        pytest.param(SHA256_INFO, b"\xff" * 202, True, id="the standard's"),
        pytest.param(bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20", b"\xff" * 204, False, id="no NULL"),
        pytest.param(SHA256_INFO, b"\xff" * 201 + b"\xfe", False, id="another filler"),
        pytest.param(SHA256_INFO, b"\x00" * 202, False, id="no filler"),
        pytest.param(bytes.fromhex("3021300906052b0e03021a05000414"), b"\xff" * 206, False, id="SHA-1 announced"),
        pytest.param(b"", b"\xff" * 221, False, id="no algorithm"),
        pytest.param(b"\x30\x81\x31" + SHA256_INFO[2:], b"\xff" * 201, False, id="a length in two bytes"),
    ],
)
def test_rsa_block(info: bytes, filler: bytes, good: bool) -> None:  # noqa: FBT001 - parametrized
    """RFC 8017 §9.2: the block under an RSASSA-PKCS1-v1_5 signature has one form, and names the hash of alg."""
    key = signing_key("RS256")
    assert isinstance(key.private, rsa.RSAPrivateKey)
    token = access_token(key)
    numbers = key.private.private_numbers()
    block = pkcs1(info, filler, parts(token)[0])
    signature = pow(block, numbers.d, numbers.public_numbers.n).to_bytes(256, "big")
    assert isinstance(judge(with_signature(token, signature), key), Active) == good


@pytest.mark.attack("A-J-15")
@pytest.mark.parametrize("salt", [0, 20, 31, 33, 64])
def test_pss_salt_length(salt: int) -> None:
    """RFC 7518 §3.5: the salt of a PS256 signature is as long as its hash."""
    key = signing_key("PS256")
    token = access_token(key)
    content, _ = parts(token)
    assert isinstance(judge(with_signature(token, key.sign_pss(content, hashes.SHA256(), 32)), key), Active)
    assert judge(with_signature(token, key.sign_pss(content, hashes.SHA256(), salt)), key) == BAD


@pytest.mark.rfc("7515-10.6-a", "8725-3.1-a")
@pytest.mark.parametrize("named", ["RS256", "RS512", "PS256", "PS384", "PS512"])
def test_hash_and_padding_are_those_of_the_header(named: str) -> None:
    """RFC 7515 §10.6: a signature made with another hash or padding than alg names does not verify."""
    key = signing_key("RS256")
    token = sign(header(key, alg=named), claims(), key, "RS384")
    assert judge(token, key.jwk(alg=None)) == BAD


@pytest.mark.attack("A-J-15")
def test_ed25519_scalar_out_of_range() -> None:
    """RFC 8032 §5.1.7: S must be below the order of the group, or one signature could be written in many ways."""
    key = signing_key("Ed25519")
    token = access_token(key)
    signature = parts(token)[1]
    scalar = int.from_bytes(signature[32:], "little")
    for factor in (1, 2, 8):
        moved = signature[:32] + (scalar + factor * ED25519_ORDER).to_bytes(32, "little")
        assert judge(with_signature(token, moved), key) == BAD


@pytest.mark.attack("A-J-15")
@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f", b"\xff" * 32])
@pytest.mark.parametrize("scalar", [0, 1, ED25519_ORDER])
def test_ed25519_special_points(point: bytes, scalar: int) -> None:
    """RFC 8032 §5.1.7: a signature of a point of small order, or of none at all, verifies under no honest key."""
    key = signing_key("Ed25519")
    assert judge(with_signature(access_token(key), point + scalar.to_bytes(32, "little")), key) == BAD


@pytest.mark.rfc("8725-3.1-a")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("kind", ["RS256", "ES256", "Ed25519"])
def test_key_of_another_type(algorithm: str, kind: str) -> None:
    """RFC 8725 §3.1: a key is never used with an algorithm of another type, even if somebody hands the two together."""
    key = signing_key(kind)
    content, signature = parts(access_token(key))
    fits = {"RS256": "RS256", "ES256": "ES256", "Ed25519": "Ed25519", "EdDSA": "Ed25519"}.get(algorithm) == kind
    assert jose.verify_signature(jws_of(algorithm, content, signature), imported(key)) == fits


OWN_KEYS = [
    pytest.param(RSAKey.generate_key(2048), "RS256", id="RSA"),
    pytest.param(ECKey.generate_key("P-256"), "ES256", id="P-256"),
    pytest.param(ECKey.generate_key("P-384"), "ES384", id="P-384"),
    pytest.param(ECKey.generate_key("P-521"), "ES512", id="P-521"),
    pytest.param(OKPKey.generate_key("Ed25519"), "Ed25519", id="Ed25519"),
]


@pytest.mark.parametrize(("private", "algorithm"), OWN_KEYS)
def test_a_key_of_our_own_signs(private: RSAKey | ECKey | OKPKey, algorithm: str) -> None:
    """RFC 7468 §10, RFC 7517 §4: a key signs by its type, as PEM and as JWK, under the name that it has."""
    members = private.as_dict(private=True)
    for text in (private.as_pem(private=True).decode(), json.dumps(members | {"kid": "k"})):
        key = jose.read_signing_key(text)
        assert isinstance(key, jose.SigningKey)
        assert (key.algorithm, key.key_id) == (algorithm, None if "BEGIN" in text else "k")
        assert jose.verify_signature(jws_of(algorithm, b"content", key.sign(b"content")), private)


def test_an_algorithm_that_has_no_name() -> None:
    """RFC 7517 §4.4: a key that says what it is for, and yet nothing, is for nothing."""
    members = ECKey.generate_key("P-256").as_dict(private=True)
    assert isinstance(jose.read_signing_key(json.dumps(members | {"alg": ""})), str)


def test_a_curve_that_nobody_knows() -> None:
    """RFC 5480 §2.1.1: a key on a curve of another's making is no key here, and said to be none."""
    der_bytes = b64decode("".join(ECKey.generate_key("P-256").as_pem(private=True).decode().splitlines()[1:-1]))
    odd = der_bytes.replace(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d03017f"))
    assert odd != der_bytes
    text = f"-----BEGIN PRIVATE KEY-----\n{b64encode(odd).decode()}\n-----END PRIVATE KEY-----\n"
    assert jose.read_signing_key(text) == "is not a private key in PEM"


def test_eddsa_is_ed25519() -> None:
    """RFC 9864 §2.2: under either name, a signature is of the one curve, and never of Ed448."""
    key = OKPKey.generate_key("Ed448")
    signature = JWSRegistry.algorithms["EdDSA"].sign(b"content", key)
    assert not jose.verify_signature(jws_of("EdDSA", b"content", signature), key)


@pytest.mark.parametrize("kind", ["RSA", "P-256", "P-384", "P-521", "X25519"])
def test_a_key_of_our_own_decrypts(kind: str) -> None:
    """RFC 7518 §6: a private key decrypts as PEM, as JWK, and with every member that a JWK may have."""
    key = encryption_key(kind)
    kty = {"RSA": RSAKey.key_type, "X25519": OKPKey.key_type}.get(kind, ECKey.key_type)
    complete = JWKRegistry.import_key(key.pem(), kty).as_dict(private=True)
    jwe = parse_jwe(encrypt(b"x", key, head={"kid": REMOVED}).encode())
    assert jwe is not None
    for text in (key.pem(), key.text(), json.dumps(complete)):
        found = jose.read_decryption_keys(text)
        assert isinstance(found, tuple)
        assert jose.decrypt(jwe, found[0]) == b"x"


@pytest.mark.parametrize("operation", ["decrypt", "unwrapKey", "deriveKey", "deriveBits"])
def test_operations_of_a_key_that_decrypts(operation: str) -> None:
    """RFC 7517 §4.3: each of the operations by which something is decrypted makes a key one for it."""
    assert isinstance(jose.read_decryption_keys(encryption_key().text(key_ops=["x", operation])), tuple)


def test_a_weak_key_does_not_decrypt() -> None:
    """RFC 7518 §4.3: an RSA key has 2048 bits or more, also as a JWK."""
    weak = EncryptionKey(rsa.generate_private_key(65537, 1024), "weak")  # noqa: S505 - it is to be refused
    assert isinstance(jose.read_decryption_keys(weak.text()), str)


def test_an_rsa_key_is_on_no_curve() -> None:
    """RFC 7518 §6.3: a curve says nothing of an RSA key, which is found without one."""
    found = jose.read_decryption_keys(encryption_key("RSA").text(crv="P-256"))
    assert isinstance(found, tuple)
    assert found[0].curve is None
