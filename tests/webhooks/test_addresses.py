"""Where webhooks may go: the public internet by https, and nothing else that nobody named."""

from __future__ import annotations

import pytest

from flamewire_ledger.webhooks.addresses import (
    LOOPBACK,
    NotAllowed,
    Reach,
    check_url,
    judged,
    read_networks,
)

PUBLIC = Reach()
SANDBOX = Reach(LOOPBACK)
INSIDE = Reach(read_networks("10.0.0.0/8, fd00::/8"))


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::1"],
)
def test_public_addresses_are_reached_by_https_only(address: str):
    assert judged([address], "https", PUBLIC) == [address]
    with pytest.raises(NotAllowed):
        judged([address], "http", PUBLIC)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255",
        "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1",
        "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1",
        "255.255.255.255", "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "::ffff:169.254.169.254", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1",
        "ff02::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::",
        "2002:a00:1::", "2001::1", "2001:db8::1", "100::1", "not an address",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_never_reached(address: str):
    for scheme in ("https", "http"):
        with pytest.raises(NotAllowed) as refusal:
            judged([address], scheme, PUBLIC)
        assert address not in str(refusal.value)


def test_one_address_of_a_host_that_is_not_public_is_one_too_many():
    with pytest.raises(NotAllowed):
        judged(["8.8.8.8", "127.0.0.1"], "https", PUBLIC)
    with pytest.raises(NotAllowed):
        judged([], "https", PUBLIC)


def test_networks_that_are_named_are_reached_by_http_too():
    assert judged(["10.9.8.7"], "http", INSIDE) == ["10.9.8.7"]
    assert judged(["fd12::1"], "https", INSIDE) == ["fd12::1"]
    assert judged(["::ffff:10.0.0.1"], "http", INSIDE) == ["::ffff:10.0.0.1"]
    assert judged(["127.0.0.1", "::1"], "http", SANDBOX) == ["127.0.0.1", "::1"]
    for address in ("192.168.0.1", "127.0.0.1"):
        with pytest.raises(NotAllowed):
            judged([address], "http", INSIDE)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/webhooks",
        "https://shop.example:8443/a?b=c",
        "https://93.184.216.34/",
        "https://xn--bcher-kva.example/",
        "https://[2606:4700::1111]/",
    ],
)
def test_urls_that_may_be_given(url: str):
    check_url(url, PUBLIC)


@pytest.mark.parametrize(
    "url",
    [
        "", "shop.example", "//shop.example", "http://shop.example/", "ftp://shop.example/",
        "file:///etc/passwd", "gopher://shop.example/", "https://", "https:///path",
        "https://user@shop.example/", "https://user:pass@shop.example/",
        "https://shop.example/#here", "https://shop.example:0/", "https://shop.example:99999/",
        "https://shop.example:x/", "https://localhost/", "https://a.localhost/", "https://intern/",
        "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/", "https://169.254.169.254/latest",
        "https://[::ffff:127.0.0.1]/", "https://[fe80::1%25eth0]/", "https://shop.example/ x",
        "https://shop.example/\n", "https://shop.example/\r\nHost: other", "https://bücher.example/",
        "https://[::1/", "https://shop.example/" + "a" * 2048,
    ],
)  # fmt: skip
def test_urls_that_lead_nowhere_good_are_refused(url: str):
    with pytest.raises(NotAllowed):
        check_url(url, PUBLIC)


def test_the_sandbox_may_be_on_this_machine():
    check_url("http://127.0.0.1:3000/hook", SANDBOX)
    check_url("http://localhost:3000/hook", SANDBOX)
    check_url("http://[::1]:3000/hook", SANDBOX)
    check_url("http://shop:8080/hook", INSIDE)
    for url in (
        "http://10.0.0.1/",
        "https://192.168.1.1/",
        "http://8.8.8.8/",
        "http://shop.example/",
        "https://shop/",
    ):
        with pytest.raises(NotAllowed):
            check_url(url, SANDBOX)


@pytest.mark.parametrize("text", ["10.0.0.0/40", "10.0.0.1/8", "intern", "10.0.0.0/8;::1"])
def test_networks_that_are_none_are_refused(text: str):
    with pytest.raises(ValueError):
        read_networks(text)
