"""The crate fixtures/projects/exercise: what a module may ask of a loader and of libSystem."""

import gc
import sys
import tempfile
import threading
import weakref

import fixture_exercise as exercise

print("data", exercise.data())
print("numbers", exercise.numbers(123456789012345, 0.7))
for levels in (0, 1, 51):
    try:
        exercise.panics(levels)
    except BaseException as error:
        print("panic", type(error).__module__, type(error).__name__, error)
print("caught", exercise.caught(51))
print("overflows", exercise.overflows(200), exercise.overflows(1))
print("locals", exercise.locals())
if hasattr(exercise, "aligned"):
    print("aligned", exercise.aligned())
print("threads", exercise.threads())
print("parked", exercise.parked())
with tempfile.TemporaryDirectory() as folder:
    print("files", exercise.files(folder))
    try:
        exercise.files(folder + "/none")
    except OSError as error:
        print("files", type(error).__name__, error.errno == 2)
print("system", exercise.system())

account = exercise.Account(100)
print(
    "class", account, account.pay(30), account.pay(5, fee=1), account.call(lambda *values: values)
)
for wrong in (
    lambda: exercise.Account(-1),
    lambda: account.pay("x"),
    lambda: account.pay(1, fee=-(2**63), more=1),
    lambda: account.pay(2**70),
    lambda: account.call(lambda *values: 1 / 0),
    lambda: account.call(lambda *values: account.pay(1)),
):
    try:
        print("no error", wrong())
    except Exception as error:
        print("class", type(error).__name__, error)


class Holder:
    pass


def make_a_cycle() -> weakref.ref:
    holder, circular = Holder(), exercise.Account(1)
    circular.call(lambda *values: (holder, circular))
    return weakref.ref(holder)


gone = make_a_cycle()
gc.collect()
print("class", "collected", gone() is None)

results = []


def work() -> None:
    for _ in range(50):
        try:
            exercise.panics(7)
        except BaseException as error:
            results.append(str(error))
        results.append(exercise.Account(5).pay(3))


threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("threads", len(results), sorted(set(map(str, results))))
sys.stdout.flush()
