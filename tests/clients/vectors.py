#!/usr/bin/python3
"""Checks tests/vectors.json with the second client, and with a reader that does what a server does.

The reader is made from docs/protocol.md alone, too, so that each half of the vectors has two implementations."""
import base64, hashlib, hmac, ipaddress, json, re, sys
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt, crypto_core_ed25519_is_valid_point
from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base
from nacl.exceptions import BadSignatureError, CryptoError
from nacl.pwhash import argon2id
from nacl.signing import SigningKey, VerifyKey

import knock_spa

VECTORS = json.loads((Path(__file__).parent.parent / "vectors.json").read_text())
PACKET = VECTORS["packet"]
SERVICE = re.compile(r"[a-z][a-z0-9-]{0,14}|(tcp|udp)/([1-9][0-9]{0,4})")
COMMENT = r"[A-Za-z0-9@._+-]{1,64}"
LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
PORT = r":[1-9][0-9]{0,4}"
# Longer kinds are not told apart by length: the first word is the whole type.
REST = {"server": r" (\S+)", "invite": rf" {COMMENT} (\S+)(?: {COMMENT})?"}
SIZES = {"invite": 68, "client-sealed": 88}
WINDOW = 60 * 10**9
DOORS = {"ssh": "tcp/22", "web": "tcp/8080"}
OWN = [ipaddress.ip_address(address) for address in ("192.0.2.1", "2001:db8::1")]


def field(vector, name):
    return bytes.fromhex(vector[name])


# Section 3: requests.

def encoded(request):
    """A request as the vectors describe it."""
    if request["op"] == "enrol":
        return bytes([3]) + bytes(5) + field(request, "new_key") + field(request, "proof") + bytes(26)
    v4, v6 = (ipaddress.ip_address(request[name] or none).packed for name, none in [("v4", "0.0.0.0"), ("v6", "::")])
    opens = knock_spa.open_request(request["services"], request["ttl"] or 0, request["sender"], v4, v6)
    return opens if request["op"] == "open" else b"\x02" + opens[1:]


def services_of(request):
    text = request[26:].rstrip(b"\0").decode("ascii")
    return text.split(",") if text else []


def addresses_of(request):
    """Those that are stated."""
    stated = [ipaddress.ip_address(request[6:10]), ipaddress.ip_address(request[10:26])]
    return [address for address in stated if not address.is_unspecified]


def is_well_formed(request):
    op, flags, ttl = request[0], request[1], int.from_bytes(request[2:6], "big")
    if op == 3:
        return not any(request[1:6] + request[102:]) and crypto_core_ed25519_is_valid_point(request[6:38])
    try:
        services = services_of(request)
    except UnicodeDecodeError:
        return False
    matches = [SERVICE.fullmatch(service) for service in services]
    ports = all(match and int(match[2] or 0) < 65536 for match in matches)
    stated = addresses_of(request)
    v6 = [address for address in stated if address.version == 6]
    nameable = not any(address.is_loopback or address.is_multicast or address.ipv4_mapped for address in v6)
    asks = bool(services and (flags or stated)) if op == 1 else ttl == 0
    return op in (1, 2) and flags < 2 and ports and len(set(services)) == len(services) and nameable and asks


def is_proven(request, invitation_key, server_key):
    return verifies(request[6:38], b"knock-spa/1 enrol" + server_key + invitation_key, request[38:102])


# Section 4: verification.

def verifies(key, message, signature):
    try:
        return bool(VerifyKey(key).verify(message, signature))
    except (BadSignatureError, ValueError):
        return False


def opened(datagram, secret, clients):
    """Whose it is, and where it ends before the checks that need a clock, a memory or a policy; or its request."""
    server_key = crypto_scalarmult_base(secret)
    if len(datagram) != 320:
        return None, 0, "wrong-length"
    envelope_key = hmac.digest(b"knock-spa/1 envelope", server_key, "sha256")
    try:
        content = crypto_aead_xchacha20poly1305_ietf_decrypt(datagram[24:], b"", datagram[:24], envelope_key)
    except CryptoError:
        return None, 1, "junk"
    t, enc, sealed = content[:8], content[8:40], content[40:]
    try:
        dh = crypto_scalarmult(secret, enc)  # It refuses a result of zero.
        key, base_nonce = knock_spa.seal_key(dh, enc, server_key, b"knock-spa/1 seal" + t)
        plain = ChaCha20Poly1305(key).decrypt(base_nonce, sealed, b"")
    except (InvalidTag, CryptoError, RuntimeError):
        return None, 5, "unsealable"
    client, signature, request = plain[:32], plain[32:96], plain[96:]
    if client not in clients:
        return client, 6, "unknown-client"
    if not verifies(client, b"knock-spa/1 sign" + server_key + t + request, signature):
        return client, 8, "forged"
    return (client, None, request) if is_well_formed(request) else (client, 9, "malformed")


class Server:
    """What a server keeps: clients with one policy, and an invitation or none."""

    def __init__(self, history):
        self.policy, self.marks, self.seen, self.taken = history["client"], {}, set(), {}
        self.secret, self.clients = field(PACKET, "server_secret"), [field(PACKET, "client_key")]
        self.invitation = field(VECTORS["enrolment"], "invitation_key") if "invitation" in history else None
        self.expires, self.used_by = int(history["packets"][0]["at"]) + 3600 * 10**9, None

    def take(self, datagram, now, source):
        askers = self.clients + [self.invitation] * (self.invitation is not None and now < self.expires)
        asker, stage, read = opened(datagram, self.secret, askers)
        if stage is not None and stage < 2:
            return read
        key = hmac.digest(b"knock-spa/1 envelope", crypto_scalarmult_base(self.secret), "sha256")
        content = crypto_aead_xchacha20poly1305_ietf_decrypt(datagram[24:], b"", datagram[:24], key)
        t = int.from_bytes(content[:8], "big")
        if abs(t - now) > WINDOW:
            return "stale"
        if datagram[-16:] in self.seen:
            return "duplicate"
        self.seen.add(datagram[-16:])
        if stage in (5, 6):
            return read
        if t <= self.marks.get(asker, 0):
            return "replayed"
        if stage == 8:
            return read
        self.marks[asker] = t
        if stage == 9:
            return read
        # One comes back every so often; the vectors leave enough time, or none.
        taken = [at for at in self.taken.get(asker, []) if now - at < 60 * 10**9 / self.policy["per_minute"]]
        if len(taken) >= self.policy["burst"]:
            return "too-often"
        self.taken[asker] = [*taken, now]
        if (asker == self.invitation) != (read[0] == 3):
            return "unauthorised"
        if read[0] == 3:
            return self.enrol(read)
        return "accepted" if self.grants(read, source) else "unauthorised"

    def enrol(self, request):
        key = request[6:38]
        if not is_proven(request, self.invitation, crypto_scalarmult_base(self.secret)):
            return "forged"
        if self.used_by == key:
            return "already-enrolled"
        if self.used_by or key in (*self.clients, self.invitation):
            return "taken"
        self.used_by = key
        self.clients.append(key)
        return "accepted"

    def grants(self, request, source):
        named = {name for service in services_of(request) for name in DOORS if service in (name, DOORS[name])}
        known = all(service in DOORS or service in DOORS.values() for service in services_of(request))
        stated, sender, mode = addresses_of(request), request[1], self.policy["address"]
        allowed = not sender and (mode == "claimed" or source in stated) if mode != "sender" else True
        networks = [ipaddress.ip_network(text) for text in self.policy["from"] or ["0.0.0.0/0", "::/0"]]
        opens = stated + [source] * sender
        inside = all(any(address in network for network in networks) for address in opens)
        foreign = all(not (a.is_loopback or a.is_multicast or a.is_unspecified or a in OWN) for a in [*opens, source])
        return known and named <= set(self.policy["services"]) and allowed and inside and foreign


# Section 8: lines.

def parsed(line):
    """A line's type, its key and what is behind it; none where it is no line."""
    match = re.fullmatch(r"knock-spa-(server|client|server-secret|client-secret|client-sealed|invite)-v1 ([^ ]+)(.*)",
                         line, re.DOTALL)
    rest = match and re.fullmatch(REST.get(match[1], rf"(?: {COMMENT})?"), match[3])
    if not rest or rest.groups() and not are_endpoints(rest[1]):
        return None
    kind = f"knock-spa-{match[1]}-v1"
    try:
        blob = base64.b64decode(match[2] + "=" * (-len(match[2]) % 4), validate=True)
    except ValueError:
        return None
    if len(blob) != SIZES.get(match[1], 36) or base64.b64encode(blob).decode().rstrip("=") != match[2]:
        return None
    if match[1] == "client-sealed":
        return kind, blob, match[3]
    key, check = blob[:-4], blob[-4:]
    is_key = {"client": crypto_core_ed25519_is_valid_point, "server": is_server_key, "invite": is_server_key}
    if check != hashlib.sha256(kind.encode() + b"\0" + key).digest()[:4] or not is_key.get(match[1], bool)(key[:32]):
        return None
    return kind, key, match[3]


def is_server_key(key):
    try:
        return bool(crypto_scalarmult(bytes([8]) + bytes(31), key))  # It refuses a result of zero.
    except (CryptoError, RuntimeError):
        return False


def are_endpoints(text):
    endpoints = text.split(",")
    return len(endpoints) <= 8 and len(set(endpoints)) == len(endpoints) and all(map(is_endpoint, endpoints))


def is_endpoint(text):
    match = re.fullmatch(rf"(\[[0-9a-f:.]+\]|[a-z0-9.-]{{1,253}})({PORT})", text)
    if not match or int(match[2][1:]) > 65535:
        return False
    host = match[1].strip("[]")
    try:
        address = ipaddress.ip_address(host)
        return str(address) == host and (address.version == 6) == (host != match[1])
    except ValueError:
        return all(re.fullmatch(LABEL, label) for label in host.split(".")) and not host.rsplit(".")[-1].isdigit()


def check_packet(vector, signer):
    """Made byte for byte, and read again."""
    request = encoded(vector["request"])
    assert request == field(vector, "request_bytes")
    made = knock_spa.packet(field(vector, "server_key"), signer, request, int(vector["stamp"]),
                            field(vector, "ephemeral"), field(vector, "nonce"))
    assert made == field(vector, "packet")
    read = opened(made, field(vector, "server_secret"), [bytes(signer.verify_key)])
    assert read == (bytes(signer.verify_key), None, request), read


def check_enrolment(vector):
    invitation, client = SigningKey(field(vector, "invitation_seed")), SigningKey(field(vector, "client_seed"))
    assert knock_spa.enrol_request(field(vector, "server_key"), invitation, client) == field(vector, "request_bytes")
    check_packet(vector, invitation)
    key = bytes(invitation.verify_key)
    for refused in [vector, *vector["unproven"]]:
        _, stage, request = opened(field(refused, "packet"), field(vector, "server_secret"), [key])
        assert stage is None, refused["why"]
        proof = is_proven(request, key, field(vector, "server_key"))
        assert proof == (refused is vector), refused.get("why")


def check_line(vector):
    kind, key, _ = parsed(vector["line"])
    if kind == "knock-spa-client-sealed-v1":
        of_passphrase = argon2id.kdf(32, vector["passphrase"].encode(), key[:16], opslimit=3, memlimit=64 << 20)
        key = crypto_aead_xchacha20poly1305_ietf_decrypt(key[40:], b"", key[16:40], of_passphrase)
    assert key == field(vector, "key"), vector
    fingerprint = hashlib.sha256(kind.encode() + b"\0" + key).digest()
    assert vector.get("fingerprint") in (None, "SHA256:" + base64.b64encode(fingerprint).decode().rstrip("="))


def check_history(history):
    server = Server(history)
    for number, packet in enumerate(history["packets"]):
        outcome = server.take(field(packet, "packet"), int(packet["at"]), ipaddress.ip_address(packet["from"]))
        assert outcome == packet["outcome"], (history["why"], number, outcome)


def main():
    client = SigningKey(field(PACKET, "client_seed"))
    check_packet(PACKET, client)
    check_enrolment(VECTORS["enrolment"])
    for vector in VECTORS["requests"]:
        assert encoded(vector) == field(vector, "bytes"), vector
        assert is_well_formed(field(vector, "bytes")), vector
    for vector in VECTORS["refused"]:
        read = opened(field(vector, "packet"), field(PACKET, "server_secret"), [bytes(client.verify_key)])
        assert read[1:] == (vector["stage"], vector["refusal"]), (vector["why"], read)
    for vector in VECTORS["lines"]:
        check_line(vector)
    for vector in VECTORS["bad_lines"]:
        line = parsed(vector["line"])
        assert line is None or line[0] != vector["wanted"], vector["why"]
    for history in VECTORS["histories"]:
        check_history(history)
    print(", ".join(f"{len(value)} {name}" for name, value in VECTORS.items() if isinstance(value, list)))


if __name__ == "__main__":
    sys.exit(main())
