# What: multiprocessing by fork, and plain forks while other threads allocate; every child frees what it inherited,
#   allocates, starts a thread and sends a digest back.
import gc
import hashlib
import multiprocessing
import os
import sys
import threading
import warnings

SCALE = float(sys.argv[1])
warnings.simplefilter("ignore")  # fork with threads is what this is about
sys.setswitchinterval(0.0002)


def crunch(number):
    rows = {i: ("%d" % (i * number)) * (i % 30) for i in range(400)}
    return hashlib.sha256("".join(rows[i] for i in sorted(rows)).encode()).hexdigest()


def by_pool():
    context = multiprocessing.get_context("fork")
    with context.Pool(4) as pool:
        for digest in pool.map(crunch, range(int(48 * SCALE)), chunksize=2):
            print("pool", digest)
        pool.close()
        pool.join()


def by_process():
    context = multiprocessing.get_context("fork")
    inbox = context.Queue()
    children = [context.Process(target=lambda n=n: inbox.put((n, crunch(n)))) for n in range(8)]
    for child in children:
        child.start()
    for number, digest in sorted(inbox.get() for _ in children):
        print("process", number, digest)
    for child in children:
        child.join()
        assert child.exitcode == 0


def child(number, inherited, out):
    del inherited[:]  # blocks that the parent's threads made
    gc.collect()
    answer = []
    thread = threading.Thread(target=lambda: answer.append(crunch(number)))
    thread.start()
    thread.join()
    os.write(out, answer[0].encode())


def fork_once(number, inherited):
    inp, out = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            child(number, inherited, out)
            status = 0
        finally:
            os._exit(status)
    os.close(out)
    with os.fdopen(inp) as pipe:
        digest = pipe.read()
    assert os.waitpid(pid, 0)[1] == 0
    return digest


def by_hand():
    stop = threading.Event()

    def noise(box):
        while not stop.is_set():
            box[:] = [bytes(n * 37 % 3000) for n in range(100)]

    boxes = [[] for _ in range(2)]
    threads = [threading.Thread(target=noise, args=(box,)) for box in boxes]
    for thread in threads:
        thread.start()
    try:
        for number in range(int(60 * SCALE)):
            print("fork", number, fork_once(number, boxes))
    finally:
        stop.set()
        for thread in threads:
            thread.join()


by_pool()
by_process()
by_hand()
