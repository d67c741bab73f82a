"""Spellings of paths that are not the path itself, although a careless comparison takes them for it."""


def plain(route):
    """Return the path of a route, with names of the shop for its parameters."""
    return route.path.format(service="buying", dataset="orders")


def wrong_spellings(path):
    """Return spellings that are not the path itself, although a careless comparison takes them for it."""
    controls = [*range(0x21), 0x7F, 0x80, 0x85, 0x9F]
    ends = [chr(code) for code in controls] + ["\u2028", "\u2029", "\u200b", "\ufeff", "\u00a0"]
    ends += ["/", "//", "/.", "/..", ";", ";a=b", "%", "%0A", "#", "\\"]
    inner, _, last = path.rpartition("/")
    full = chr(ord(last[0]) - 0x20 + 0xFF00) + last[1:] if last else "\uff0f"
    variants = [path + end for end in ends] + ["/" + path, "/." + path, "/x/.." + path]
    variants += [f"{inner}//{last}", f"{inner}/./{last}", f"{inner}/{full}", f"{inner}/{last.upper()}"]
    variants += [
        path.replace("/", "\\"),
        "\n" + path,
        " " + path,
        "/\n" + path[1:],
        path[1:],
        f"/{path[1:]}\r",
    ]
    # A server decodes what is percent-encoded, one time.
    encoded = {"".join(f"%{byte:02X}" for byte in variant.encode()) for variant in variants}
    encoded = {spelling.replace("%2F", "/") for spelling in encoded}
    encoded |= {
        path[0] + path[1:].replace("/", "%2f"),
        f"{path}%2F",
        f"%2F{path[1:]}",
        f"{path}%252F",
        f"{path}%250A",
    }
    # What has become the path itself, or that of a route with a parameter, is not a wrong spelling.
    return sorted(encoded - {path, "".join(f"%{byte:02X}" for byte in path.encode()).replace("%2F", "/")})
