from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from channels.settings import SETTINGS
from config.faults import Findings
from config.quantities import SIZE_BYTES_MAX, parse_size_bytes
from config.reading import read_settings
from config.serving import WriteKey
from config.settings import SECTIONS, Cap, QuietHours, Settings
from engine.core.messages import caps, quiet
from tests.config.defaults import DEFAULTS


def read(text: str, env: dict[str, str] | None = None) -> tuple[Settings, list[str], list[str]]:
    findings = Findings()
    settings = read_settings(text, findings, {} if env is None else env)
    return settings, [str(f) for f in findings.faults], [str(w) for w in findings.warnings]


def test_an_empty_file_means_every_default() -> None:
    assert read("") == (Settings(), [], [])


def test_every_key_written_with_its_default_means_the_same_as_an_empty_file() -> None:
    assert read(DEFAULTS) == (Settings(), [], [])


def test_every_key_that_there_is_was_written_with_its_default() -> None:
    import tomllib

    written = tomllib.loads(DEFAULTS)
    for section, kind in SECTIONS.items():
        known = {field.encode_name for field in msgspec.structs.fields(kind)}
        assert set(written[section]) | ({"quiet_hours"} & known) == known
    assert set(written) == {*SECTIONS, "channels"}


def test_the_defaults_are_these() -> None:
    settings = Settings()
    assert settings.server.body_max_bytes == 1_048_576
    assert settings.server.event_max_bytes == 32_768
    assert settings.keys.write == (WriteKey(key="demo-write-key"),)
    assert settings.storage.resume_grace_ms == 30_000
    assert settings.events.max_lateness_ms == 86_400_000
    assert settings.events.dedupe_window_ms == 86_400_000
    assert settings.events.session_gap_ms == 1_800_000
    assert settings.events.keep_ms == 2_592_000_000
    assert settings.guardrails.quiet_hours is None
    assert set(settings.channels) == set(SETTINGS)


def test_values_other_than_the_default_arrive_in_their_units() -> None:
    settings, faults, _ = read(
        """
        [server]
        body_max = "2 MB"
        event_max = 1000
        [keys]
        write = [{key = "a", rate = 5, origins = ["https://shop.example"]}, "b"]
        [storage]
        resume_grace = "1m30s"
        [guardrails]
        caps = [{channel = "email", max = 3, per = "7d"}]
        quiet_hours = {from = "21:00", to = "08:00", days = ["sat"]}
        [testing]
        redirect_to = {email = "me@example.com"}
        [channels.email]
        timeout = "5s"
        """
    )
    assert faults == []
    assert (settings.server.body_max_bytes, settings.server.event_max_bytes) == (2_000_000, 1_000)
    assert settings.keys.write == (
        WriteKey(key="a", rate=5, origins=("https://shop.example",)),
        WriteKey(key="b"),
    )
    assert settings.storage.resume_grace_ms == 90_000
    assert settings.guardrails.caps == (Cap(max=3, per_ms=604_800_000, channel="email"),)
    assert settings.guardrails.quiet_hours == QuietHours(
        from_clock="21:00", to_clock="08:00", days=("sat",)
    )
    assert settings.testing.redirect_to == {"email": "me@example.com"}
    assert settings.channels["email"].timeout_ms == 5_000


@pytest.mark.parametrize(
    "said", ["127.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32", "2001:0DB8::/32", "10.0.0.7/32"]
)
def test_a_proxy_is_an_address_or_a_network(said: str) -> None:
    settings, faults, _ = read(f'[server]\nproxies = ["{said}"]')
    assert (settings.server.proxies, faults) == ((said,), [])


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('"nginx"', "no IP address and no network; an IP address like"),
        ('"127.0.0.1:80"', "no IP address"),
        ('"10.0.0.0/33"', "no IP address"),
        ('"10.1.2.3/8"', 'an address within a network; did you mean "10.0.0.0/8"?'),
        ('"0.0.0.0/0"', "every address there is; name your own machines alone"),
        ('"::/0"', "every address there is"),
        ('"::ffff:10.0.0.1"', 'IPv4 within IPv6; write it as IPv4, like "10.0.0.1"'),
        ("7", "the number 7 is no address"),
    ],
)
def test_what_cannot_be_a_proxy_is_a_fault_with_what_would_be_right(said: str, told: str) -> None:
    settings, (fault,), _ = read(f"[server]\nproxies = [{said}]")
    assert fault.startswith("hairspring.toml:2: server.proxies[0]: ")
    assert told in fault
    assert settings.server.proxies == ()


def test_a_rate_of_each_address_wants_to_know_the_proxy_that_all_come_by() -> None:
    key = '[keys]\nwrite = ["a", {key = "b", rate_each = 10}]\n'
    settings, faults, (warning,) = read(key)
    assert (settings.keys.write[1].rate_each, faults) == (10, [])
    assert warning.startswith("hairspring.toml:2: keys.write[1].rate_each: at 127.0.0.1 all")
    assert read(key + '[server]\nproxies = ["127.0.0.1"]')[1:] == ([], [])
    assert read(key + '[server]\nhost = "0.0.0.0"')[1:] == ([], [])
    for host in ("127.0.0.1", "::1", "localhost"):
        own = key + f'[server]\nhost = "{host}"\n'
        _, _, (warning,) = read(own)
        assert read(own + warning.partition("[server] ")[2])[1:] == ([], [])


SECRETS = """
[keys]
write = ["env:WRITE", {key = "env:BROWSER"}]
admin = "env:ADMIN"
[channels.email]
password = "env:SMTP"
"""


def test_secrets_come_from_the_environment() -> None:
    env = {"WRITE": "w", "BROWSER": "b", "ADMIN": "env:WRITE", "SMTP": "p"}
    settings, faults, _ = read(SECRETS, env)
    assert faults == []
    assert [key.key for key in settings.keys.write] == ["w", "b"]
    assert settings.keys.admin == "env:WRITE"
    assert settings.channels["email"].password == "p"  # type: ignore[union-attr]


def test_every_missing_variable_is_a_fault() -> None:
    _, faults, _ = read(SECRETS, {})
    assert [fault.partition(" is not set")[0] for fault in faults] == [
        "hairspring.toml:3: keys.write[0].key: the environment variable 'WRITE'",
        "hairspring.toml:3: keys.write[1].key: the environment variable 'BROWSER'",
        "hairspring.toml:4: keys.admin: the environment variable 'ADMIN'",
        "hairspring.toml:6: channels.email.password: the environment variable 'SMTP'",
    ]


def test_without_an_environment_secrets_stay_empty_and_the_machine_is_not_asked() -> None:
    findings = Findings()
    text = SECRETS + 'ca_file = "/no/such/file.pem"\ntransport = "smtp"\nhost = "h"\n'
    settings = read_settings(text, findings, None)
    assert findings.faults == []
    assert {key.key for key in settings.keys.write} == {""}
    findings = Findings()
    read_settings(text, findings, {"WRITE": "w", "BROWSER": "b", "ADMIN": "a", "SMTP": "p"})
    assert [fault.line for fault in findings.faults] == [7]


def test_the_core_is_handed_its_policy() -> None:
    settings, _, _ = read(
        '[events]\nmax_lateness = "1h"\n[guardrails]\nenrollments_max = 7\n[consent]\n'
        'required = ["push"]\nunknown = "allow"\n[testing]\nusers = ["u1"]\n'
    )
    policy = settings.policy()
    assert policy.max_lateness_ms == 3_600_000
    assert policy.enrollments_max == 7
    assert policy.consent_required == {"push"}
    assert policy.consent_unknown_allows
    assert policy.testers == {"u1"}


def test_the_core_is_handed_the_guardrails() -> None:
    settings, _, _ = read(
        '[shop]\ntimezone = "Europe/Paris"\n[guardrails]\nspacing = "5m"\n'
        'caps = [{max = 2, per = "1h"}, {max = 3, per = "7d", channel = "email"}]\n'
        'quiet_hours = {from = "21:30", to = "08:00", days = ["sun", "sat"]}\n'
    )
    policy = settings.policy()
    assert policy.caps == (
        caps.Cap(2, 3_600_000),
        caps.Cap(3, 604_800_000, "email"),
        caps.Cap(1, 300_000),
    )
    assert policy.quiet_hours == quiet.QuietHours(1290, 480, frozenset({5, 6}))
    assert policy.timezone == "Europe/Paris"
    assert read("")[0].policy().caps == ()


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("0 B", 0), ("1KB", 1000), ("1 kib", 1024), (" 3 MiB ", 3 << 20), ("1 GiB", 1 << 30)],
)
def test_a_size_is_a_number_and_a_unit(text: str, size_bytes: int) -> None:
    assert parse_size_bytes(text) == size_bytes


@pytest.mark.parametrize("text", ["", "5", "MiB", "-1 MiB", "1.5 MiB", "1 TiB", "٣ KB", "9999 GiB"])
def test_anything_else_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse_size_bytes(text)
    assert parse_size_bytes("1024 GiB") == SIZE_BYTES_MAX


KEYS = [
    f"{section}.{field.encode_name}"
    for section, kind in SECTIONS.items()
    for field in msgspec.structs.fields(kind)
] + [
    f"channels.{channel}.{field.encode_name}"
    for channel, kind in SETTINGS.items()
    for field in msgspec.structs.fields(kind)
]
LITERALS = st.sampled_from(
    [
        *('""', '"x"', '"env:NOPE"', '"email"', '"30s"', '"1 MiB"', '"UTC"', '"../x"', '"\\u0000"'),
        *("0", "-1", "1", "8080", "99999999999999999999", "1.5", "inf", "nan", "true", "[]", "{}"),
        *('["a", 1, {}]', "[[[]]]", "{key = 1}", '{max = 1, per = "1h"}', "[{max = 0}]"),
        *("1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", '[{key = "a"}]', '{email = "x"}'),
    ]
)


@examples(deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), LITERALS, max_size=5))
def test_any_value_at_any_key_is_a_setting_or_a_fault_in_its_line(chosen: dict[str, str]) -> None:
    text = "".join(f"{key} = {value}\n" for key, value in chosen.items())
    findings = Findings()
    settings = read_settings(text, findings, {})
    assert isinstance(settings, Settings)
    assert all(1 <= fault.line <= max(1, len(chosen)) for fault in findings.faults)


def test_whom_alerts_are_for_is_said_in_a_word_or_a_table_one_or_several() -> None:
    (ops,) = read('[alerts]\nto = "ops@shop.example"')[0].alerts.to
    assert (ops.to, ops.kind) == ("ops@shop.example", "email")
    hook = '{to = "env:HOOK", secret = "c2VjcmV0"}'
    env = {"HOOK": "https://chat.example/x"}
    for text in (f"to = {hook}", f"to = [{hook}]"):
        settings, faults, _ = read(f"[alerts]\n{text}", env)
        assert faults == []
        assert [(one.kind, one.secret) for one in settings.alerts.to] == [("webhook", "c2VjcmV0")]
    assert [one.kind for one in read('[alerts]\nto = ["log", "a@b.c"]')[0].alerts.to] == [
        "log",
        "email",
    ]
