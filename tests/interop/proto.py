"""The remoting messages as bytes, written and read by hand, so that what is wrong can be said."""


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value) if value else b""


def data(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def text(field, value):
    return data(field, value) if value else b""


def read(message):
    """[(field, value)]: numbers and bytes; ValueError if it is malformed."""
    out, at = [], 0

    def get():
        nonlocal at
        value = shift = 0
        while True:
            if at >= len(message):
                raise ValueError("ends within a number")
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        tag = get()
        if tag & 7 == 0:
            out.append((tag >> 3, get()))
        elif tag & 7 == 2:
            size = get()
            if size > len(message) - at:
                raise ValueError("a field reaches beyond the end")
            out.append((tag >> 3, message[at:at + size]))
            at += size
        else:
            raise ValueError(f"wire type {tag & 7}")
    return out


def first(message, field, default=b""):
    return next((value for number_, value in read(message) if number_ == field), default)


# ---- Remoting ----------------------------------------------------------------------------

def pid(address, ident, request_id=0):
    return text(1, address) + text(2, ident) + number(3, request_id)


def connect(system_id, address):
    return data(2, data(2, text(1, system_id) + text(2, address)))


def connect_client(system_id):
    return data(2, data(1, text(1, system_id)))


def connected(member_id, blocked=False):
    return data(3, text(2, member_id) + number(3, int(blocked)))


DISCONNECT = data(4, b"")


def envelope(type_id=0, payload=b"", target=0, sender=0, serializer=0, target_request=0,
             sender_request=0, header=b""):
    return (number(1, type_id) + (data(2, payload) if payload else b"") + number(3, target)
            + number(4, sender) + number(5, serializer) + header + number(7, target_request)
            + number(8, sender_request))


def batch(types, targets, envelopes, senders=()):
    """Targets are texts (dialect B) or bytes (PIDs, dialect A)."""
    inner = b"".join(data(1, name) for name in types)
    inner += b"".join(data(2, target) for target in targets)
    inner += b"".join(data(3, one) for one in envelopes)
    inner += b"".join(data(4, sender) for sender in senders)
    return data(1, inner)


class Envelope:
    """One of a batch that was read, with its indexes looked up; IndexError if one is wrong."""

    def __init__(self, fields, types, targets, senders):
        get = dict(fields)
        self.type = types[get.get(1, 0)].decode()
        self.payload = get.get(2, b"")
        self.target = targets[get.get(3, 0)]
        sender = get.get(4, 0)
        self.sender = senders[sender - 1] if sender else None
        self.serializer = get.get(5, 0)
        self.target_request, self.sender_request = get.get(7, 0), get.get(8, 0)
        self.headers = first(get[6], 1, None) if 6 in get else None


def envelopes(message):
    """Those of a RemoteMessage that is a batch."""
    inner = read(first(message, 1))
    tables = {field: [value for at, value in inner if at == field] for field in (1, 2, 3, 4)}
    return [Envelope(read(one), tables[1], tables[2], tables[4]) for one in tables[3]]


def kind(message):
    fields = read(message)
    return {1: "batch", 2: "connect-request", 3: "connect-response",
            4: "disconnect"}.get(fields[0][0] if fields else 0, "nothing")
