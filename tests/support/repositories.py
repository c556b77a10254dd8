"""Small repositories for tests: programs that differ from one another, and planted secrets.

The secrets are made up here, in pieces, so that no scanner takes this file for a leak.
"""

from __future__ import annotations

import random
from pathlib import Path

_WORDS = """
    account amount balance buffer cache cell chunk client column count cursor delta edge entry
    field frame graph group header index item job key label layer limit line list map mark
    node offset order owner page parent part path plan point queue range record region reply
    result row rule scope score section shape share sheet side signal size slot source span
    stage state step stock store stream table target task text ticket time title total trace
    track tree unit update value version view weight window word zone
""".split()  # noqa: SIM905


def code(seed: int, functions: int = 6) -> str:
    """A Python program of about a kilobyte; two seeds share few lines."""
    rng = random.Random(seed)
    lines = [f'"""Module {seed}: {" ".join(rng.sample(_WORDS, 3))}."""', ""]
    for _ in range(functions):
        a, b, c, d = rng.sample(_WORDS, 4)
        lines += [
            f"def {a}_{b}({c}s, {d}):",
            f"    {a} = {rng.randint(2, 9)}",
            f"    for {c} in {c}s:",
            f"        if {c}.{b} {rng.choice(['<', '>', '=='])} {d} + {rng.randint(1, 99)}:",
            f"            {a} += {c}.{rng.choice(_WORDS)}({d}, {a})",
            f"        {rng.choice(_WORDS)}_{rng.choice(_WORDS)}({c}, {a})",
            f"    return {a} * {d}",
            "",
        ]
    return "\n".join(lines)


def write_repository(root: Path, files: int) -> Path:
    """`module_0.py` and so on below `root`."""
    root.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        (root / f"module_{number}.py").write_text(code(number))
    return root


_MIXED = "aZ3kQ9xW7mP2rT5vB8nL4cJ6hG1dF0sY"
PLANTED = {
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "aws": 'id = "AK' + 'IAIOSFODNN7EXAMQLE"',
    "aws secret": 'aws_secret_access_key = "' + "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + 'QZ3kP9xWmr"',
    "github": 'x = "gh' + 'p_' + _MIXED + 'Ab12"',
    "github fine": 'x = "github_' + "pat_" + _MIXED + _MIXED + '"',
    "gitlab": 'x = "gl' + "pat-" + _MIXED[:20] + '"',
    "slack": 'x = "xo' + 'xb-123456789012-1234567890123-' + _MIXED[:24] + '"',
    "slack hook": 'x = "https://hooks.slack' + f'.com/services/T000AAAA/B000BBBB/{_MIXED[:24]}"',
    "google": 'x = "AI' + "za" + (_MIXED + _MIXED)[:35] + '"',
    "stripe": 'x = "sk_' + "live_" + _MIXED[:24] + '"',
    "openai": 'x = "sk-' + (_MIXED + _MIXED)[:48] + '"',
    "npm": 'x = "npm' + "_" + (_MIXED + _MIXED)[:36] + '"',
    "pypi": 'x = "py' + "pi-AgEIcHlwaS5vcmc" + _MIXED + _MIXED + '"',
    "jwt": 'x = "ey' + "JhbGciOiJIUzI1NiIsInR5.ey" + "JzdWIiOiIxMjM0NTY3ODkwIn0." + _MIXED + '"',
    "sendgrid": 'x = "SG' + "." + _MIXED[:22] + "." + (_MIXED + _MIXED)[:43] + '"',
    "twilio": 'x = "AC' + "0123456789abcdef" * 2 + '"',
    "telegram": 'x = "110201543:' + "AAHdqTcvCH1vGWJxfSeofSAs0K5P" + 'ALDsaw"',
    "mailchimp": 'x = "' + "0123456789abcdef" * 2 + "-us" + '12"',
    "basic auth": 'x = "https://user:' + "Tr0ub4dor@" + 'db.internal/x"',
    "password": 'pass' + 'word = "c0rrect-h0rse!"',
    "db password": "config = {'db_pass" + "word': 'S3cure!pass99'}",
    "words and digits": 'DB_PASS' + 'WORD = "Turkey2' + 'Sandwich9"',
    "token with the letters of test": 'API_TO' + 'KEN = "latest-prod-93kd02' + '-zz8x7c"',
    "placeholder in front": 'API_TO' + 'KEN = "test-prod-93kd02' + '-zz8x7c"',
    "words alone": 'ADMIN_PASS' + 'WORD = "correcthorse' + 'batterystaple"',
    "words apart": 'pass' + 'word = "correct horse ' + 'battery staple"',
    "with a type": 'const DB_PASS' + 'WORD: &str = "Turkey2' + 'Sandwich9";',
    "with a type behind": 'var dbPass' + 'word string = "Turkey2' + 'Sandwich9"',
    "array": 'char pass' + 'word[] = "Turkey2' + 'Sandwich9";',
    "where unset": 'os.environ.get("DB_PASS' + 'WORD", "sword' + 'fish")',
    "or else": 'process.env.DB_PASS' + 'WORD || "sword' + 'fish"',
    "key that is a uuid": 'api_' + 'key = "550e8400-e29b-41d4' + '-a716-446655440000"',
    "small letters and digits": 'SIGNING = "' + "k3j9x0q8w5z1p7m2v6b4n0c8" + 't3r9y1u5h2g7f4d6"',
    "capitals and digits": 'SEED = "' + "JB5WY3DP6HPK3PXP7XKZ" + '2QMN"',
    "random base64": 'x = "' + _MIXED + 'Q+/aB=="',
    "random hex": 'x = "' + "9f86d081884c7d659a2feaa0c55ad015" + '"',
    "hex of a chain's key": 'x = "0x' + "9f86d081884c7d659a2feaa0c55ad015" * 2 + '"',
}
"""Kind -> a line of code that holds such a secret."""
