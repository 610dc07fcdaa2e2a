"""rpds-py: persistent maps, sets and lists in Rust; exceptions, pickles, garbage collection."""

import gc
import pickle
import threading

import rpds

numbers = rpds.HashTrieMap({n: n * n for n in range(500)})
print(len(numbers), sum(numbers.values()), numbers[17], 900 in numbers)
print(rpds.HashTrieMap({"a": 1}), rpds.HashTrieMap({"a": 1}).insert("b", [2]).get("b"))
print(numbers.remove(3).get(3, "gone"), len(numbers.update({1000: 1, 1001: 2})))
print(sorted(rpds.HashTrieSet("hello").union(rpds.HashTrieSet("world"))))
print(rpds.HashTrieSet([1, 2, 3]) & rpds.HashTrieSet([2, 3, 4]) == rpds.HashTrieSet([2, 3]))
print(rpds.List(range(5)).push_front(9).rest, rpds.List().push_front(1).first)
print(rpds.Queue([1, 2]).enqueue(3).dequeue(), rpds.Queue([7]).peek())
print(pickle.loads(pickle.dumps(rpds.List(["x", (1, 2)]))))
for wrong in (
    lambda: numbers.remove(-1),
    lambda: numbers["no"],
    lambda: rpds.HashTrieMap(3),
    lambda: rpds.List().first,
    lambda: rpds.Queue().dequeue(),
    lambda: rpds.HashTrieMap({(): 1}).insert([], 2),
    lambda: rpds.HashTrieSet([1]).remove(2),
):
    try:
        print("no error", wrong())
    except Exception as error:
        print(type(error).__name__, error)


class Awkward:
    def __hash__(self) -> int:
        raise ZeroDivisionError("from a callback")


try:
    rpds.HashTrieMap({1: 2}).insert(Awkward(), 1)
except ZeroDivisionError as error:
    print("callback:", error)

results = []


def work(n: int) -> None:
    made = rpds.HashTrieMap()
    for i in range(300):
        made = made.insert(i * n, i)
    results.append((n, len(made)))


threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 9)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sorted(results))
gc.collect()
print("rpds", "done")
