#!/usr/bin/python3
"""Checks tests/vectors.json with the second client, and reads packets as docs/protocol.md says that a server does.

The reader is made from the document alone, too, so that each half of the vectors has two implementations."""
import hmac, ipaddress, json, re, sys
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt, crypto_scalarmult, crypto_scalarmult_base
from nacl.exceptions import BadSignatureError, CryptoError
from nacl.signing import SigningKey, VerifyKey

import knock_spa

SERVICE = re.compile(r"[a-z][a-z0-9-]{0,14}|(tcp|udp)/([1-9][0-9]{0,4})")
VECTORS = json.loads((Path(__file__).parent.parent / "vectors.json").read_text())
PACKET = VECTORS["packet"]


def field(vector, name):
    return bytes.fromhex(vector[name])


def encoded(request):
    """A request as the vectors describe it."""
    if request["op"] == "enrol":
        return bytes([3]) + bytes(5) + field(request, "new_key") + field(request, "proof") + bytes(26)
    v4, v6 = (ipaddress.ip_address(request[name] or none).packed for name, none in [("v4", "0.0.0.0"), ("v6", "::")])
    opens = knock_spa.open_request(request["services"], request["ttl"] or 0, request["sender"], v4, v6)
    return opens if request["op"] == "open" else b"\x02" + opens[1:]


def is_well_formed(request, signer, server_key):
    """Section 3."""
    op, flags, ttl = request[0], request[1], int.from_bytes(request[2:6], "big")
    if op == 3:
        proof = b"knock-spa/1 enrol" + server_key + signer
        return not any(request[1:6]) and not any(request[102:]) and verifies(request[6:38], proof, request[38:102])
    v4, v6 = ipaddress.ip_address(request[6:10]), ipaddress.ip_address(request[10:26])
    try:
        text = request[26:].rstrip(b"\0").decode("ascii")
    except UnicodeDecodeError:
        return False
    services = text.split(",") if text else []
    matches = [SERVICE.fullmatch(service) for service in services]
    ports = all(match and int(match[2] or 0) < 65536 for match in matches)
    addressed = flags or v4.packed != bytes(4) or v6.packed != bytes(16)
    nameable = not (v6.is_loopback or v6.is_multicast or v6.ipv4_mapped)
    asks = bool(services and addressed) if op == 1 else ttl == 0
    return op in (1, 2) and flags < 2 and ports and len(set(services)) == len(services) and nameable and asks


def verifies(key, message, signature):
    try:
        return bool(VerifyKey(key).verify(message, signature))
    except (BadSignatureError, ValueError):
        return False


def outcome(datagram, secret, clients):
    """Section 4, without the checks that need a clock, a memory or a policy: where the packet ends."""
    server_key = crypto_scalarmult_base(secret)
    if len(datagram) != 320:
        return 0, "wrong-length"
    envelope_key = hmac.digest(b"knock-spa/1 envelope", server_key, "sha256")
    try:
        content = crypto_aead_xchacha20poly1305_ietf_decrypt(datagram[24:], b"", datagram[:24], envelope_key)
    except CryptoError:
        return 1, "junk"
    t, enc, sealed = content[:8], content[8:40], content[40:]
    try:
        dh = crypto_scalarmult(secret, enc)  # It refuses a result of zero.
        key, base_nonce = knock_spa.seal_key(dh, enc, server_key, b"knock-spa/1 seal" + t)
        plain = ChaCha20Poly1305(key).decrypt(base_nonce, sealed, b"")
    except (InvalidTag, CryptoError, RuntimeError):
        return 5, "unsealable"
    client, signature, request = plain[:32], plain[32:96], plain[96:]
    if client not in clients:
        return 6, "unknown-client"
    if not verifies(client, b"knock-spa/1 sign" + server_key + t + request, signature):
        return 8, "forged"
    return (None, request) if is_well_formed(request, client, server_key) else (9, "malformed")


def check_packet(vector, signer, request):
    """Made byte for byte, and read again."""
    assert encoded(vector["request"]) == request == field(vector, "request_bytes")
    made = knock_spa.packet(field(vector, "server_key"), signer, request, int(vector["stamp"]),
                            field(vector, "ephemeral"), field(vector, "nonce"))
    assert made == field(vector, "packet")
    read = outcome(made, field(vector, "server_secret"), [bytes(signer.verify_key)])
    assert read == (None, request), read


def main():
    client = SigningKey(field(PACKET, "client_seed"))
    check_packet(PACKET, client, encoded(PACKET["request"]))
    for vector in VECTORS["requests"]:
        request = encoded(vector)
        assert request == field(vector, "bytes"), vector
        assert is_well_formed(request, b"", b""), vector
    for vector in VECTORS["refused"]:
        read = outcome(field(vector, "packet"), field(PACKET, "server_secret"), [bytes(client.verify_key)])
        assert read == (vector["stage"], vector["refusal"]), (vector["why"], read)
    print(f"{len(VECTORS['requests'])} requests and {len(VECTORS['refused'])} refusals agree")


if __name__ == "__main__":
    sys.exit(main())
