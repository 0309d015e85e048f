"""
feedd's package: what it is called, what it needs, what it holds.

The version stands in ``feedd/__init__.py`` only, and is read without importing it.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def version() -> str:
    """The version that the package itself names."""
    found = re.search(
        r'^__version__ = "([^"]+)"$', (HERE / "feedd/__init__.py").read_text(), re.MULTILINE
    )
    if found is None:
        raise RuntimeError("feedd/__init__.py names no version")
    return found[1]


def description() -> str:
    """The long description, when the README is there."""
    readme = HERE / "README.rst"
    return readme.read_text() if readme.exists() else ""


TEST = [
    "coverage>=7.17",
    "docutils>=0.22",
    "hypothesis>=6.170",
    "mypy>=2.4,<3",
    "pika>=1.4.4",
    "ruff>=0.17.6,<0.18",
    "selenium>=4.51",
    "setuptools>=77",
]

BENCH = [
    "aio-pika>=10.2",
    "aiohttp>=3.14",
    "matplotlib>=3.11",
    "uvloop>=0.23",
]

setup(
    name="feedd",
    version=version(),
    description="A realtime social feed for any website: long polls, answered the moment a friend "
    "posts",
    long_description=description(),
    long_description_content_type="text/x-rst",
    author="feedd contributors",
    license="MIT",
    license_files=["LICENSE"],
    keywords="twisted comet long-polling jsonp realtime feed amqp rabbitmq",
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Framework :: Twisted",
        "Intended Audience :: Developers",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3.11",
        "Topic :: Internet :: WWW/HTTP :: HTTP Servers",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    install_requires=[
        "Twisted[tls]>=26.10,<27",
        "PyJWT[crypto]>=2.15,<3",
        "PyMySQL>=1.2.4,<2",
        "msgspec>=0.22,<0.23",
        "phpserialize>=1.3,<2",
        "treq>=26.7",
        "twistar==2.0",
        "txAMQP==0.8.2",
        "uhashring>=2.5,<3",
    ],
    extras_require={"test": TEST, "dev": TEST, "bench": [*TEST, *BENCH]},
    # Twisted finds plug-ins in any folder twisted/plugins of sys.path. Naming the root makes an
    # editable installation put this folder itself on sys.path; the import hook that setuptools
    # would install instead shows Twisted no folder.
    package_dir={"": "."},
    packages=[*find_packages(include=["feedd", "feedd.*"]), "twisted.plugins"],
    package_data={"feedd": ["py.typed", "client/*"], "feedd.store": ["schema/**/*.sql"]},
    entry_points={"console_scripts": ["feedd = feedd.cli:main"]},
    zip_safe=False,
)
