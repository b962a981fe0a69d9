#!/usr/bin/python3
"""A second client of knock-spa/1, made from docs/protocol.md alone. Each FILE holds one line.
    knock_spa.py open CLIENT_SECRET_FILE SERVER_FILE SERVICES
    knock_spa.py enrol CLIENT_SECRET_FILE INVITATION_FILE"""
import base64, hashlib, hmac, os, socket, sys, time
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt, crypto_scalarmult, crypto_scalarmult_base
from nacl.signing import SigningKey

KEM, SUITE = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x03"

def x(suite, salt, label, ikm):
    return hmac.digest(salt, b"HPKE-v1" + suite + label + ikm, "sha256")

def p(suite, prk, label, info, n):
    return hmac.digest(prk, n.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info + b"\x01", "sha256")[:n]

def seal_key(dh, enc, server_key, info):
    shared_secret = p(KEM, x(KEM, b"", b"eae_prk", dh), b"shared_secret", enc + server_key, 32)
    context = b"\0" + x(SUITE, b"", b"psk_id_hash", b"") + x(SUITE, b"", b"info_hash", info)
    secret = x(SUITE, shared_secret, b"secret", b"")
    return p(SUITE, secret, b"key", context, 32), p(SUITE, secret, b"base_nonce", context, 12)

def packet(server_key, client, request, t, ephemeral, nonce):
    t = t.to_bytes(8, "big")
    signature = client.sign(b"knock-spa/1 sign" + server_key + t + request).signature
    enc, dh = crypto_scalarmult_base(ephemeral), crypto_scalarmult(ephemeral, server_key)
    key, base_nonce = seal_key(dh, enc, server_key, b"knock-spa/1 seal" + t)
    sealed = ChaCha20Poly1305(key).encrypt(base_nonce, bytes(client.verify_key) + signature + request, b"")
    envelope_key = hmac.digest(b"knock-spa/1 envelope", server_key, "sha256")
    return nonce + crypto_aead_xchacha20poly1305_ietf_encrypt(t + enc + sealed, b"", nonce, envelope_key)

def open_request(services, ttl=0, sender=True, v4=bytes(4), v6=bytes(16)):
    return bytes([1, sender]) + ttl.to_bytes(4, "big") + v4 + v6 + services.encode().ljust(102, b"\0")

def enrol_request(server_key, invitation, client):
    proof = client.sign(b"knock-spa/1 enrol" + server_key + bytes(invitation.verify_key)).signature
    return bytes([3]) + bytes(5) + bytes(client.verify_key) + proof + bytes(26)

def parse(wanted, line):
    kind, word, *rest = line.split(" ")
    blob = base64.b64decode(word + "=" * (-len(word) % 4), validate=True)
    if kind != wanted or blob[-4:] != hashlib.sha256(kind.encode() + b"\0" + blob[:-4]).digest()[:4]:
        sys.exit(f"not a {wanted} line")
    return blob[:-4], rest

if __name__ == "__main__":
    client_line, other_line = (open(name).read().strip("\n") for name in sys.argv[2:4])
    client = signer = SigningKey(parse("knock-spa-client-secret-v1", client_line)[0])
    if sys.argv[1] == "open":
        server_key, (endpoints,) = parse("knock-spa-server-v1", other_line)
        request = open_request(sys.argv[4])
    else:
        keys, (_, endpoints, *_) = parse("knock-spa-invite-v1", other_line)
        server_key, signer = keys[:32], SigningKey(keys[32:])
        request = enrol_request(server_key, signer, client)
    host, _, port = endpoints.split(",")[0].rpartition(":")
    family, kind, *_, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_DGRAM)[0]
    datagram = packet(server_key, signer, request, time.time_ns(), os.urandom(32), os.urandom(24))
    socket.socket(family, kind).sendto(datagram, address)
