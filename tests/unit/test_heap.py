"""One heap for all threads: counted by glibc itself, in a process of its own."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

COUNT = """
import ctypes, os, sys, threading
from diffusion.heap import share_one_heap

if sys.argv[1] == "one":
    assert share_one_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
ready, over = threading.Barrier(5), threading.Event()

def allocate():
    libc.malloc(10_000)
    ready.wait()
    over.wait()

for _ in range(4):
    threading.Thread(target=allocate).start()
ready.wait()
libc.fdopen.restype = ctypes.c_void_p
out = libc.fdopen(os.dup(1), b"w")
libc.malloc_info(0, ctypes.c_void_p(out))
libc.fclose(ctypes.c_void_p(out))
over.set()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has heaps by thread")
def test_threads_share_one_heap_where_that_is_asked_for() -> None:
    def heaps(asked: str) -> int:
        words = [sys.executable, "-c", COUNT, asked]
        told = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True)
        return told.stdout.count("<heap nr=")

    assert heaps("one") == 1 < heaps("as they come")
