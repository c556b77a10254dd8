"""The forms in which a name is given a secret, what is like them and none, and their time."""

from __future__ import annotations

import re

import pytest

from diffusion.data.given_secrets import given_secret
from diffusion.data.secret_scan import secret_kind
from diffusion.data.text_spans import TextSpans
from tests.support.repositories import code
from tests.unit.data.test_secret_search import LENGTH, MOST_S, seconds

# @n is the name, @s the secret, @w one of words alone, @h one that looks random, so that no
# scanner takes this file for a leak.
FORMS = {
    "m.py": [
        '@n = """@s"""', "@n = '''@s'''", '@n = r"@s"', '@n = "Sup3r\'S3cret99"',
        '@n = \\\n    "@s"', '@n = ("Sup3r"\n    "S3cret99")', '@n = "Sup3r" "S3cret99"',
        '@n = "@w" "@w"', '@n = """@w"""', '@n: SecretStr = SecretStr("@s")',
        '@n = bytes("@w", "utf-8")', '@n = derive("@s")', 'c.set_@n("@w")',
        'c = "Server=db;User Id=sa;@n=@s;"', 'c = "Server=db;User Id=sa;@n=@w;"',
        'd = "host=db user=me @n=@s dbname=x"', 'u = "redis://:@s@db:6379/0"',
        'u = "redis://:@w@db"', 'h = {"Authorization": "Bearer @h"}', 'h = "token @h\\n"',
        '"""\nDB_@n=@s\n"""', '"""\n@n: @s\nuser: x\n"""', "# DB_@n=@s",
        "# aws_secret_access_key = @h", 'x = "{\\"@n\\": \\"@s\\"}"', 'x = "{\\"@n\\": \\"@w\\"}"',
        '@n = env if env else "@w"', '@n = os.getenv("X") or "@w"',
        'k = ("IEpAIBAAKCAQEA7bq3Xk9ZQmT2vB8nL4cJ6hG1dF\\n"\n"x=")',
    ],
    "m.js": [
        'const @n = cond ? env : "@w";', 'const @n = cond ? "@w" : env;', '@n = cfg.pw || "@w";',
        'const @n = process.env["X"] ?? "@w";', "const h = `Bearer @h`;", "// api_key: @s",
        "const u = `postgres://h/db?user=x&@n=@w`;",
    ],
    "m.go": [
        '@n := []byte("@w")', "var @n = []byte(`@w`)", 'd := "root:@s@tcp(127.0.0.1:3306)/db"',
        'd := "root:@w@unix(/tmp/s)/db"', "/* @n=@s */",
    ],
    "m.rs": [
        'let @n = String::from("@w");', 'let @n = r#"@w"#;', 'builder.@n("@s")',
        'let @n = Some("@w");', 'let c = &\'a "x"; // @n = @s',
    ],
    "m.java": [
        'props.put("@n", "@w");', 'props.setProperty("db.@n", "@w");', 'ds.set@N("@w");',
        'ds.setDb@N("@w");', 'login("@n", "@s");', 'p.put("@n", new String("@w"));',
        'String u = "jdbc:mysql://h/db?user=x&@n=@s";', 'String u = """\n    @n=@s\n    """;',
    ],
    "m.c": [
        '#define DB_@n "@w"', '#  define @n \\\n  "@w"',
        'const char *@n = "Sup3r"\n    "S3cret99";', '#define API_KEY "ab12cd34ef56"',
        'char *@n = L"@w";',
    ],
}  # fmt: skip
NONE = {
    "m.py": [
        '@n = @n.encode("latin1")',
        'def f(@n):\n    """What it does with it, at length."""',
        '@n = input("Type it in, please")', '@n = config["name_of_it"]',
        'add("--@n", help="What it is, in short")', "@n = hash256(other1)",
        '"""\n@n: str\n@n: optional1\n"""', "# @n = compute1(other2)", 'x = "@n={}".format(other)',
        'x = f"@n={self.other1}"', 'fields = ("username", "@n", "first_name")',
        "# token: Int64Array", '@n = """your\n', 'u = "redis://:{}@db"',
        'u = "redis://:<@s>@db"', '@n = _("Please enter")', 'label("@n", "Choose a good one")',
        '@n = request.get("the_name")', '@n=None, text="Say it, now"',
        '"""Adds sha256-ab12cd34ef56 to it."""', '@n: str = None\n"""What it is, at length."""',
    ],
    "m.js": [
        "const @n = a ? b : c;", "f({ @n: x, text: 'Say it, now' });", 'set@NLabel("Type it in")',
    ],
    "m.c": [
        '#define @n_FIELD 12\nchar *x = "other";', '#define TOKEN_NAME "identifier"',
    ],
}  # fmt: skip
MEANT = {
    "@n": "pass" + "word", "@N": "Pass" + "word", "@s": "Sup3r" + "S3cret99",
    "@w": "correct" + "horse", "@h": "9f86d081884c7d65" + "9a2feaa0c55ad015",
}  # fmt: skip


def lines(forms: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(path, spelt(line)) for path, of_it in forms.items() for line in of_it]


def spelt(line: str) -> str:
    return re.sub("@[nNswh]", lambda found: MEANT[found[0]], line)


@pytest.mark.parametrize(("path", "line"), lines(FORMS))
def test_what_is_given_to_a_name_is_found(path: str, line: str) -> None:
    text = code(3) + line + "\n\n" + "value += 1\n"
    assert secret_kind(path, text.encode()) is not None


@pytest.mark.parametrize(("path", "line"), lines(NONE))
def test_what_only_looks_like_it_is_not(path: str, line: str) -> None:
    text = code(3) + line + "\n\n" + "value += 1\n"
    assert secret_kind(path, text.encode()) is None


REPEATED = (
    "pwd=a(", "pwd=a?", "pwd=a or ", 'pwd="a" ', 'pwd=("a" ', "pwd=('' ", 'pwd="', 'pwd="""',
    'pwd=\\"', 'pwd=r#"', "#define pwd ", "setpwd(", '("pwd",', "put('pwd','", "pwd=a1b2c3d ",
    "?pwd=abcdefg&", "://:aaaaaa", "a:aaaaaa@tcp(", "/*", '"""', "'''", 'r#"', '\\"', "pwd=new a(",
    "pwd=\\\n", "pwd||a||", 'pwd=x if "b" or', "=pwd", "pwd:= ", "pwd:a?", "aA1bB2cC3dD4eE5fF6gG7 ",
)  # fmt: skip


@pytest.mark.parametrize("path", ["m.py", "m.cpp", "m.rs", "m.js"])
@pytest.mark.parametrize("text", REPEATED)
def test_the_time_grows_with_the_text_alone(path: str, text: str) -> None:
    """A text of four times the length takes about four times as long: with the square, 16."""
    short, long = (text * (length // len(text)) for length in (LENGTH // 4, LENGTH))
    least = seconds(lambda: given_secret(path, short))
    assert seconds(lambda: given_secret(path, long)) < max(MOST_S, 9 * least)


@pytest.mark.parametrize(
    ("path", "text", "strings"),
    [
        ("m.py", "x = 'a b' # 'c'", "'a b'"),
        ("m.py", 'x = """a\n"b""" + c', '"""a\n"b"""'),
        ("m.py", "x = 'a\ny", "'a"),
        ("m.py", 'x = "a\\"b" // c', '"a\\"b"'),
        ("m.js", "x = `a\nb`; c // 'd'", "`a\nb`"),
        ("m.rs", "fn a<'b>(c: &'d str) { \"e\nf\" }", '"e\nf"'),
        ("m.rs", 'x = r#"a"b"#; c', 'r#"a"b"#'),
        ("m.c", "x = '\"'; y = \"a\"; /* 'b' */", "'\"'\"a\""),
        ("m.go", "x = `a\\`; y", "`a\\`"),
        ("m.java", 'x = """\n a "b" """; c', '"""\n a "b" """'),
    ],
)
def test_where_strings_lie(path: str, text: str, strings: str) -> None:
    spans = TextSpans(path, text)
    assert "".join(text[at] for at in range(len(text)) if spans.in_string(at)) == strings
