"""Writes the corpora of the fuzzer's targets, `corpus/<target>/`, from the vectors, the sample events and the payloads.

A corpus is the smallest inputs of each kind, up to some kilobytes: the fuzzer finds the rest. Files that are there already
and are not of this script (those with another prefix than `seed-`) stay: they are inputs that once found something.
"""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "fuzz" / "corpus"
LONGEST = 4096  # bytes of one input
LARGEST = 6 * 1024  # bytes of a corpus
MOST = 10  # inputs of a corpus
PROVIDERS = sorted(path.name for path in (ROOT / "events").iterdir() if path.is_dir())


def write(target: str, inputs: dict[str, bytes], most: int = MOST, largest: int = LARGEST) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("seed-*"):
        old.unlink()
    size = 0
    chosen = sorted((item for item in inputs.items() if len(item[1]) <= LONGEST), key=lambda item: len(item[1]))
    for name, content in chosen[:most]:
        size += len(content)
        if size > largest:
            break
        (folder / f"seed-{name}").write_bytes(content)
    if size == 0:
        raise SystemExit(f"{target}: no input has at most {LONGEST} bytes")


def http(method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def of_event(event: dict) -> bytes:
    """A gateway event as HTTP, without the headers that a proxy adds."""
    import base64

    added = {"content-length", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"}
    headers = {name: value for name, value in event["headers"].items() if name not in added}
    query = event.get("rawQueryString") or ""
    body = event.get("body") or ""
    content = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    method = event["requestContext"]["http"]["method"]
    return http(method, event["rawPath"] + (f"?{query}" if query else ""), headers, content)


def events(provider: str) -> dict[str, dict]:
    files = sorted((ROOT / "events" / provider).glob("*.*.json"))
    return {path.name.removesuffix(".json"): json.loads(path.read_text()) for path in files}


def sealed(provider: str) -> dict[str, bytes]:
    """The payload of each sample, and of one for each source, with the name and the place of a change."""
    folder = ROOT / "functions" / provider / "samples"
    inputs = {}
    for path in sorted(folder.rglob("*.*")):
        inner = path.relative_to(folder).parent.name
        source = f"/{inner}" if inner else ""
        headers = {"x-sample": path.stem, "x-change": f"{len(inputs) * 7} {len(inputs) % 8}"}
        inputs[f"{inner}{path.stem}"] = http("POST", f"/{provider}{source}", headers, path.read_bytes())
    return inputs


def main() -> None:
    vectors = json.loads((ROOT / "tests" / "vectors.json").read_text())
    credentials = {name: json.loads((ROOT / "events" / name / "credentials.json").read_text()) for name in PROVIDERS}
    diagnosed = {}
    for provider in PROVIDERS:
        inputs = {name: of_event(event) for name, event in events(provider).items()}
        write(f"receive-{provider}", inputs)
        write(f"sealed-{provider}", sealed(provider))
        broken = sorted((ROOT / "tests" / "doctor" / provider).glob("*.1.json"))
        for path in broken:
            case = json.loads(path.read_text())
            if "event" in case:
                diagnosed[f"{provider}-{path.stem}"] = of_event(case["event"])
    write("doctor", diagnosed, most=24, largest=12 * 1024)

    compact = {
        f"{provider}-{name}": json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        for provider in PROVIDERS
        for name, event in events(provider).items()
    }
    marked = next(iter(events("github").values())) | {"letterbox": {"receivedtime": "2026-11-21T10:00:00.123Z"}}
    write("gateway", compact | {"replay": json.dumps(marked).encode()})
    requests = {f"{provider}-{name}": of_event(event) for provider in PROVIDERS for name, event in events(provider).items()}
    for target in ("raw", "event-round-trip", "curl-round-trip", "signature"):
        write(target, {name: text.replace(b"host: letterbox.execute-api.us-east-1.amazonaws.com\r\n", b"") for name, text in requests.items()})

    write("credentials", {name: f"{name}\n{json.dumps(value)}".encode() for name, value in credentials.items()}, most=20)
    described = credentials["signed"] | credentials["payment"]
    write("description", {name: f"{json.dumps(entry)}\n{{\"type\":\"a\",\"id\":\"b\"}}".encode() for name, entry in described.items()}, most=60)
    cards = json.dumps(json.loads((ROOT / "functions" / "opencard" / "cards.json").read_text()), ensure_ascii=False)
    queries = sorted((ROOT / "functions" / "opencard" / "samples").glob("*.json"))
    small = '{"1":{"entries":[{"intent":{"a":1},"surface":"m","location":{"province":"p","city":"c"},"data":{},"lifetime":9}],"default":{"data":1}}}'
    query = '{"srcid":"1","intent":{"a":1},"surface":"m","location":{"province":"p","city":"c"}}'
    write("catalogue", {"small": f"{small}\n--\n{query}".encode()} | {path.stem: f"{cards}\n--\n{path.read_text()}".encode() for path in queries})

    payloads = {f"{path.parts[-3]}-{path.stem}": path.read_bytes() for path in sorted(ROOT.glob("functions/*/samples/*.json"))}
    for target in ("json", "json-style", "content", "terminal"):
        write(target, payloads)
    write("xml", {path.stem: path.read_bytes() for path in sorted(ROOT.glob("functions/wecom/samples/*.xml"))} | {
        "escapes": b'<?xml version="1.0"?><xml a="1"><A> &amp;&#x4e2d; </A><A><![CDATA[<]]></A><B/></xml>'})
    write("form", {"fields": b"a=1&b=x+y%2Bz&sign=s&c=%D6%D0", "alipay": next(iter(sealed("alipay").values()))[-400:]})
    write("time", {name: name.encode() for name in (
        "1763719200", "1763719200123", "1763719200123456", "2026-11-21T10-00-00Z".replace("-00-00", ":00:00"),
        "2026-11-21T18:00:00.5+08:00", "0000-01-01T00:00:00Z")})
    write("url", {"sns": b"https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem?a=b%20c", "host": b"https://a/"})
    write("encoding", {"gzip": bytes.fromhex("1f8b0800000000000003abae050043bfa6a302000000"), "pack": b"packed"})
    keys = [entry["public_key"] for entry in described.values() if "public_key" in entry]
    certificate = next(iter(credentials["sns"]["default"]["certificates"].values()))
    write("public-key", {str(number): key.encode() for number, key in enumerate([*keys, certificate])})
    write("secret", {str(number): text.encode() for number, text in enumerate(
        ["whsec_bGV0dGVyYm94", "v1,whsec_a2s=", "6B6b", "MDEyMzQ1Njc4OWFiY2RlZg", "LetterboxDemoKeyNotForProductionUse00000001"])})

    # Two bytes choose the case; the numbers of a case come before its text.
    tokens = [vector["input"]["token"] for vector in vectors if vector["op"] == "jwe_decrypt" and "token" in vector["input"]]
    header = b'{"alg":"A128KW","enc":"A128CBC-HS256","kid":"0"}\n{"a":1}'
    write("jwe", {f"foreign-{number}": b"\0\0" + token.encode() for number, token in enumerate(tokens[:4])} | {
        "header": b"\1\0" + bytes(48) + header, "changed": b"\2\0\x20\0\1\0{}", "recombined": b"\3\0\0\0" + bytes(40)})
    encrypted = [vector["input"].get("encrypt") for vector in vectors if vector["op"] == "wxbiz_decrypt"]
    encrypted = [text for text in encrypted if isinstance(text, str)]
    write("sealed", {f"foreign-{number}": b"\2\0" + text.encode() for number, text in enumerate(encrypted[:3])} | {
        "message": b"\0\0" + bytes(16) + b"\x30\0\2\0" + b'{"EventType":"check_url"}',
        "plain": b"\1\0" + bytes(16) + b"\0\0\0\2{}owner" + bytes([5] * 5)})
    write("aead", {"text": bytes(12) + b"\1\0\2\0aad." + b'{"a":1}'})
    write("curl", {
        "bash": b"curl --silent --request POST 'https://h/github/acme?a=1' \\\n  --header 'x-a: it'\\''s' \\\n  --data-raw '{\"a\":1}'\n",
        "ansi": b"curl 'https://h/github' -H 'a: b' --data-raw $'{\\u4e2d\\x41\\n}' --compressed",
        "cmd": b'curl ^"https://h/github^" ^\r\n  -H ^"x-a: b^" ^\r\n  --data-raw ^"^{^\\^"a^\\^":1^}^"',
        "piped": b"base64 --decode <<'END' | curl --request POST https://h/github \\\n  --data-binary @-\n/wA=\nEND\n",
        "parts": b"curl -X POST https://h/github -d a=1 -d @file --data-urlencode 'b=c d' -u user:password -G",
    })
    write("har", {
        "one": b'{"log":{"entries":[{"startedDateTime":"2026-11-21T10:00:00.123Z","request":{"method":"POST","url":"https://h/github","headers":[{"name":":path","value":"/"},{"name":"X-A","value":"b"}],"postData":{"text":"{}"}}}]}}',
        "two": b'{"log":{"entries":[{"request":{"method":"GET","url":"https://h/","postData":{"params":[{"name":"a","value":"b c"}]}}},{"request":{"method":"POST","url":"https://h/github","postData":{"text":"/wA=","encoding":"base64"}}}]}}',
    })


if __name__ == "__main__":
    main()
