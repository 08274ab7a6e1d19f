"""A client of OAuth 2.0 as others write it: Authlib for the protocol, PyJWT for the tokens.

Arguments: the server's URL, the algorithm that its keys sign with, an access token of an administrator.
"""

import sys
import time

import jwt
import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey

base, algorithm, admin = sys.argv[1:4]
about = requests.get(base + "/.well-known/openid-configuration", timeout=30).json()
assert about == requests.get(base + "/.well-known/oauth-authorization-server", timeout=30).json()
assert about["issuer"] == base, about
keys = jwt.PyJWKClient(about["jwks_uri"])


def made(body):
    headers = {"Authorization": "Bearer " + admin}
    answer = requests.post(base + "/v1/admin/oauth-clients", json=body, headers=headers, timeout=30)
    assert answer.status_code == 201, answer.text
    return answer.json()


def verified(token):
    assert jwt.get_unverified_header(token)["alg"] == algorithm
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
    key = keys.get_signing_key_from_jwt(token).key
    required = ["exp", "iat", "nbf", "aud", "iss", "sub", "jti"]
    return jwt.decode(token, key, algorithms=[algorithm], audience=base, issuer=base, options={"require": required})


def active(session, token):
    return session.introspect_token(about["introspection_endpoint"], token=token).json()["active"]


# A secret in the header: client credentials, introspection, revocation.
client = made({"name": "Secret", "scopes": ["decisions", "photos.read"]})
session = OAuth2Session(client["id"], client["client_secret"], token_endpoint_auth_method="client_secret_basic")
token = session.fetch_token(about["token_endpoint"], grant_type="client_credentials", scope="decisions")
claims = verified(token["access_token"])
assert claims["sub"] == claims["client_id"] == client["id"] and claims["scope"] == "decisions", claims
assert verified(admin)["sub"].startswith("usr_")
assert active(session, token["access_token"])
answer = session.revoke_token(about["revocation_endpoint"], token=token["access_token"], token_type_hint="access_token")
assert answer.status_code == 200, answer.text
assert not active(session, token["access_token"])

# A wrong secret is an error that the library knows.
wrong = OAuth2Session(client["id"], "wrong", token_endpoint_auth_method="client_secret_basic")
try:
    wrong.fetch_token(about["token_endpoint"], grant_type="client_credentials")
    raise SystemExit("a wrong secret got a token")
except Exception as error:
    assert getattr(error, "error", "") == "invalid_client", repr(error)

# A key of the client's own (RFC 7523).
private = ec.generate_private_key(ec.SECP256R1())
public = jwt.algorithms.ECAlgorithm.to_jwk(private.public_key(), as_dict=True) | {"kid": "own", "use": "sig"}
signer = made({"name": "Signer", "auth_method": "private_key_jwt", "jwks": {"keys": [public]}})
pem = private.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
session = OAuth2Session(signer["id"], ECKey.import_key(pem), token_endpoint_auth_method="private_key_jwt")
# An assertion is good for five minutes at most; the library makes it good for an hour.
claims = {"exp": int(time.time()) + 60}
session.register_client_auth_method(PrivateKeyJWT(about["token_endpoint"], claims=claims, alg="ES256"))
token = session.fetch_token(about["token_endpoint"], grant_type="client_credentials")
assert verified(token["access_token"])["sub"] == signer["id"]
print("good")
