"""Which URLs and addresses a webhook may have: nothing inside the portal's own network, however it is written."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from portal.lib.errors import InvalidInput
from registry.notifications.addresses import Refused, Target, check, is_permitted, parse, resolve

INSIDE = [
    "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.1.2.3", "169.254.169.254", "172.16.0.1", "192.0.2.1",
    "192.168.1.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fc00::1", "fd12::1", "fe80::1", "fec0::1", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_is_permitted__inside_or_reserved__no(address: str) -> None:
    assert is_permitted(ip_address(address)) is False


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_is_permitted__public__yes(address: str) -> None:
    assert is_permitted(ip_address(address)) is True


def test_is_permitted__network_of_the_setting__only_that(settings: Any) -> None:
    settings.PORTAL_WEBHOOK_ALLOW_PRIVATE = [ip_network("10.1.0.0/16"), ip_network("fd00::/8")]
    seen = {text: is_permitted(ip_address(text)) for text in ("10.1.9.9", "::ffff:10.1.9.9", "fd00::1", "10.2.0.1")}
    assert seen == {"10.1.9.9": True, "::ffff:10.1.9.9": True, "fd00::1": True, "10.2.0.1": False}


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://hooks.example.org", Target("https", "hooks.example.org", 443, "/")),
        ("http://h:8080/a/b?c=d&e", Target("http", "h", 8080, "/a/b?c=d&e")),
        ("https://[2606:4700::1]:444/x", Target("https", "2606:4700::1", 444, "/x")),
    ],
)
def test_parse__good_url__taken_apart(url: str, target: Target) -> None:
    assert parse(url) == target


@pytest.mark.parametrize(
    "url",
    [
        "", "hooks.example.org", "ftp://h/x", "file:///etc/passwd", "https://", "https:///x", "https://h:99999/",
        "https://h:0/", "https://user:word@h/", "https://h@10.0.0.1/", "https://h/#x", "https://h/a b",
        "https://h/\r\nHost: x", "https://h/\x00", "https://hö/", "https://[::1", "https://h/" + "x" * 500,
    ],
)  # fmt: skip
def test_parse__anything_else__invalid(url: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse(url)
    assert (error.value.code, error.value.details) == ("invalid_url", {"field": "url"})


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "https://[::1]/", "http://[::ffff:10.0.0.1]/", "http://10.0.0.1:80/"]
)
def test_check__private_address__refused_at_once(url: str) -> None:
    with pytest.raises(InvalidInput) as error:
        check(url)
    assert error.value.code == "address_refused"


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f.1", "127.1"])
def test_resolve__any_spelling_of_this_machine__refused(host: str) -> None:
    with pytest.raises(Refused, match="private or reserved"):
        resolve(Target("http", host, 80, "/"))


def test_resolve__name_that_is_not_there__refused() -> None:
    with pytest.raises(Refused, match="cannot be resolved"):
        resolve(Target("http", "no-such-host.invalid", 80, "/"))


def test_resolve__permitted_and_refused_addresses__only_the_permitted(settings: Any) -> None:
    settings.PORTAL_WEBHOOK_ALLOW_PRIVATE = [ip_network("127.0.0.1/32")]
    assert resolve(Target("http", "localhost", 80, "/")) == ["127.0.0.1"]
