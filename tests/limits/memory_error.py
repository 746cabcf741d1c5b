#!/usr/bin/env python3
"""An interpreter that runs out of memory, frees it, and goes on: with large blocks, with small ones, and in threads."""
import threading


def fill(size):
    """How many blocks there were before the first MemoryError."""
    blocks = []
    try:
        while True:
            blocks.append(bytearray(size))
    except MemoryError:
        return len(blocks)


def work(results):
    try:
        results.append(sum(len(str(n) * 20) for n in range(50000)))
    except MemoryError:
        results.append(-1)


def in_threads():
    results = []
    threads = [threading.Thread(target=work, args=(results,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [4777800] * 4, results


in_threads()
for size in (1 << 20, 5000, 300, 40000, 1 << 20):
    count = fill(size)
    print(f"{count} blocks of {size} bytes")
    assert count * size > 32 << 20, (count, size)
print("ok")
