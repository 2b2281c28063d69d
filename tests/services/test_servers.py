"""The harness for RabbitMQ, Redis and the nodes does what tests rely on."""

from collections.abc import Callable

import aio_pika
import pytest
import redis

from tests.services.anvil import Anvil, erc20_artifact
from tests.services.fixtures import or_skip
from tests.services.link import Link
from tests.services.rabbitmq import Broker
from tests.services.redis import PrivateRedis
from tests.services.substrate import ALICE, Substrate


async def test_a_message_goes_through_the_shared_broker(amqp_url: str, amqp_prefix: str):
    connection = await aio_pika.connect(amqp_url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(
            f"{amqp_prefix}queue", durable=True, arguments={"x-queue-type": "quorum"}
        )
        await channel.default_exchange.publish(aio_pika.Message(b"bell"), queue.name)
        message = await queue.get(timeout=30)
        await message.ack()
        assert message.body == b"bell"
        await queue.delete(if_unused=False, if_empty=False)  # a quorum queue refuses conditions


async def test_a_cut_line_is_an_outage_until_it_is_restored(amqp_link: Link):
    channel = await (await aio_pika.connect(amqp_link.url)).channel()
    amqp_link.cut()
    with pytest.raises((aio_pika.exceptions.AMQPError, OSError)):
        await channel.set_qos(1)
    with pytest.raises((aio_pika.exceptions.AMQPError, OSError)):
        await aio_pika.connect(amqp_link.url, timeout=5)
    amqp_link.restore()
    async with await aio_pika.connect(amqp_link.url) as again:
        await again.channel()


async def test_a_killed_broker_comes_back_at_the_same_place(rabbitmq_server: Broker):
    url = rabbitmq_server.url
    rabbitmq_server.kill()
    with pytest.raises((aio_pika.exceptions.AMQPError, OSError)):
        await aio_pika.connect(url, timeout=5)
    assert rabbitmq_server.start() == url
    async with await aio_pika.connect(url) as connection:
        await connection.channel()


def test_redis_keeps_a_value_under_the_prefix(redis_url: str, redis_prefix: str):
    with redis.from_url(redis_url) as client:
        client.set(f"{redis_prefix}key", "value", ex=60)
        assert client.get(f"{redis_prefix}key") == b"value"


def test_a_killed_redis_comes_back_empty(redis_server: PrivateRedis):
    with redis.from_url(redis_server.url) as client:
        client.set("key", "value")
    redis_server.kill()
    with redis.from_url(redis_server.url) as client, pytest.raises(redis.ConnectionError):
        client.ping()
    redis_server.start()
    with redis.from_url(redis_server.url) as client:
        assert client.get("key") is None


def test_a_line_can_be_restored_as_soon_as_it_is_cut(link_to: Callable[[str], Link]):
    line = link_to("tcp://127.0.0.1:9")
    for _ in range(20):
        line.cut()
        line.restore()


def test_a_line_to_redis_passes_bytes_both_ways(redis_url: str, link_to: Callable[[str], Link]):
    with redis.from_url(link_to(redis_url).url) as client:
        assert client.ping()


def test_a_block_becomes_final_two_epochs_later(anvil: Anvil):
    anvil.mine(20)
    latest, final = (
        int(anvil.rpc("eth_getBlockByNumber", tag, False)["number"], 16)
        for tag in ("latest", "finalized")
    )
    assert (latest, final) == (20, 12)


def test_a_reorganisation_changes_hashes_and_keeps_the_height(anvil: Anvil):
    anvil.mine(5)
    before = [anvil.rpc("eth_getBlockByNumber", hex(n), False)["hash"] for n in range(6)]
    anvil.reorganise(2)
    after = [anvil.rpc("eth_getBlockByNumber", hex(n), False)["hash"] for n in range(6)]
    assert after[:4] == before[:4]
    assert set(after[4:]).isdisjoint(before)


def test_the_erc20_for_tests_compiles():
    with or_skip("solc"):
        artifact = erc20_artifact()
    assert artifact["bytecode"].startswith("0x60")
    assert {"name": "Transfer", "type": "event"}.items() <= next(
        entry for entry in artifact["abi"] if entry.get("name") == "Transfer"
    ).items()


def test_the_substrate_node_makes_blocks_and_goes_back(substrate: Substrate):
    first = substrate.rpc("chain_getBlockHash")
    second = substrate.new_block()
    assert substrate.rpc("chain_getBlockHash") == second
    substrate.set_head(first)
    assert substrate.rpc("chain_getBlockHash") == first
    assert substrate.rpc("system_accountNextIndex", ALICE) == 0
