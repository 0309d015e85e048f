"""RabbitMQ is killed, or hangs: the net brings what it does not, in time, and answers say so."""

import functools
import time

from twisted.internet.threads import deferToThread

from tests.live import servers
from tests.live.harmed import HarmedCase, eventually, sleep, texts

TICK_SECONDS = 1.0


@functools.cache
def private_server() -> servers.RabbitMQ:
    """One that may be killed; it ends with this process."""
    return servers.RabbitMQ().start()


class KilledTests(HarmedCase):
    """A broker of our own."""

    @property
    def rabbitmq(self) -> servers.RabbitMQ:
        return private_server()

    async def test_killed_and_back(self) -> None:
        """
        Parked polls are answered by the net, four times a second; the answers say "degraded" until
        it is back.
        """
        parked = await self.park(self.bob)
        await deferToThread(self.rabbitmq.kill)
        for browser in (self.alice, self.bob):
            await self.until_away(browser, "broker")
        began = time.monotonic()
        await self.alice.post("without a broker")
        answer = await parked
        self.assertLess(time.monotonic() - began, TICK_SECONDS)
        self.assertEqual((texts(answer), answer["state"]), (["without a broker"], "degraded"))

        await deferToThread(self.rabbitmq.start)
        for browser in (self.alice, self.bob):
            await self.until_ready(browser)
        parked = await self.park(self.bob)
        await self.alice.post("with a broker")
        answer = await parked
        self.assertEqual((texts(answer), "state" in answer), (["with a broker"], False))


class AlarmTests(HarmedCase):
    """A broker that is short of memory, and takes nothing."""

    @property
    def rabbitmq(self) -> servers.RabbitMQ:
        return private_server()

    async def until(self, is_up: bool) -> None:
        """Wait until both processes say this of the broker."""
        for browser in (self.alice, self.bob):
            await (self.until_ready(browser) if is_up else self.until_away(browser, "broker"))

    async def test_short_of_memory_and_back(self) -> None:
        """
        The net brings posts four times a second, and answers say "degraded"; /status names the
        reason, which is counted, until the alarm is over.
        """
        limit = "set_vm_memory_high_watermark"
        await deferToThread(self.rabbitmq.ctl, limit, "absolute", "1000000")
        try:
            await self.until(False)
            status = (await self.alice.status()).json
            self.assertIn("low on memory", status["parts"]["broker"]["trouble"])
            self.assertEqual(status["counters"]["amqp_blocked"], 1)
            for number in range(3):
                parked = await self.park(self.bob)
                began = time.monotonic()
                await self.alice.post(f"alarm {number}")
                answer = await parked
                self.assertLess(time.monotonic() - began, TICK_SECONDS / 2)
                self.assertEqual(
                    (texts(answer), answer["state"]), ([f"alarm {number}"], "degraded")
                )
        finally:
            await deferToThread(self.rabbitmq.ctl, limit, "absolute", "2GB")
        await self.until(True)
        parked = await self.park(self.bob)
        await self.alice.post("over")
        answer = await parked
        self.assertEqual((texts(answer), "state" in answer), (["over"], False))


class HungTests(HarmedCase):
    """A broker whose connections stand and say nothing."""

    async def test_frozen(self) -> None:
        """
        Before anybody has noticed it the net brings a post within a tick; what was held back is not
        told twice.
        """
        parked = await self.park(self.bob)
        self.proxies["rabbitmq"].freeze()
        began = time.monotonic()
        await self.alice.post("unheard")
        self.assertEqual(texts(await parked), ["unheard"])
        self.assertLess(time.monotonic() - began, TICK_SECONDS + 0.5)
        parked = await self.park(self.bob)
        self.proxies["rabbitmq"].heal()
        await sleep(0.5)
        self.assertFalse(parked.called)
        await self.alice.post("heard")
        self.assertEqual(texts(await parked), ["heard"])

    async def test_cut(self) -> None:
        """
        Both processes come back by themselves; posts in between are all there, in order, once.
        """
        await self.proxies["rabbitmq"].cut()
        for number in range(3):
            await self.alice.post(str(number))
        self.proxies["rabbitmq"].heal()
        await self.until_ready(self.bob)
        for number in range(3, 6):
            await self.alice.post(str(number))
        seen: list[str] = []

        async def complete() -> bool:
            seen.extend(texts(await self.bob.poll(wait=1)))
            return len(seen) >= 6

        await eventually(complete, "all posts")
        self.assertEqual(seen, [str(number) for number in range(6)])
