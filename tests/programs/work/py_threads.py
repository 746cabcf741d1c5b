# What: producers make objects, other threads change and free them; zlib and hashlib work outside the interpreter lock,
#   so threads are in malloc at the same time. Results are printed in a fixed order.
import concurrent.futures
import hashlib
import queue
import sys
import threading
import zlib

SCALE = float(sys.argv[1])
STAGES = 4
ITEMS = int(1200 * SCALE)


def make(number):
    return [("%d:%d" % (number, i)) * (1 + i % 50) for i in range(60)]


def source(out, first):
    for number in range(first, ITEMS, STAGES):
        out.put((number, make(number)))
    out.put(None)


def middle(inp, out, sources):
    while sources:
        item = inp.get()
        if item is None:
            sources -= 1
            continue
        number, rows = item
        out.put((number, "|".join(reversed(rows))))
    out.put(None)


def pipeline():
    first, second = queue.Queue(64), queue.Queue(64)
    threads = [threading.Thread(target=source, args=(first, n)) for n in range(STAGES)]
    threads.append(threading.Thread(target=middle, args=(first, second, STAGES)))
    for thread in threads:
        thread.start()
    result = {}
    while (item := second.get()) is not None:
        result[item[0]] = hashlib.sha1(item[1].encode()).hexdigest()
    for thread in threads:
        thread.join()
    assert len(result) == ITEMS
    text = "".join(result[n] for n in sorted(result))
    print("pipeline", hashlib.sha256(text.encode()).hexdigest())


def squeeze(number):
    data = b"".join(b"%d," % (i * i * (number + 1)) for i in range(20000))
    packed = zlib.compress(data, 4)
    assert zlib.decompress(packed) == data
    return hashlib.sha256(packed).hexdigest()


def short_lived(number):
    box = []
    thread = threading.Thread(target=lambda: box.extend(make(number)))
    thread.start()
    thread.join()
    return len(box)


pipeline()
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    for digest in pool.map(squeeze, range(int(24 * SCALE))):
        print("squeeze", digest)
print("short-lived", sum(short_lived(n) for n in range(int(400 * SCALE))))
