"""nginx with nchan, as a peer: a channel in the memory of one worker."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.conversation import Conversation, Served
from bench.peers.peer import PROGRAMS, Program

NGINX_PATH = "/usr/sbin:/usr/bin:/usr/local/sbin"
MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")


class Nchan:
    """No login, no friends, no database."""

    name = "nchan"

    def missing(self) -> str:
        """Its Debian packages."""
        here = shutil.which("nginx", path=NGINX_PATH) and MODULE.exists()
        return (
            ""
            if here
            else "nginx with nchan (Debian: apt-get install nginx-light libnginx-mod-nchan)"
        )

    @contextmanager
    def running(self, viewers: int) -> Iterator[Served]:
        """The worker is what is measured; the master does nothing."""
        nginx = shutil.which("nginx", path=NGINX_PATH) or "nginx"
        program = Program(
            [nginx, "-p", "{folder}/", "-c", "{folder}/nchan.conf"], prepare=_configure
        )
        program.start()
        try:
            worker = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()[0]
            yield Served((program.port,), (int(worker),), Conversation(poll="/lp", tags=True))
        finally:
            program.stop()


def _configure(program: Program) -> None:
    text = (PROGRAMS / "nchan.conf").read_text()
    text = text.replace("@module@", str(MODULE)).replace("@port@", str(program.port))
    (program.folder / "nchan.conf").write_text(text)
