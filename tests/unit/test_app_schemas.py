"""The types of the page's questions and the server's answers."""

from tests.fixtures.processes import python

# What a thread reads while another one uses a type for the first time; threads take turns as often as they can.
_AT_ONCE = """
import contextlib, sys, threading
import msgspec
from antrax.app.schemas import ROUTES

sys.setswitchinterval(1e-6)
together = threading.Barrier(8)
types = [type_ for route in ROUTES.values() for type_ in (route.request, route.answer) if type_]

def read_all():
    together.wait()
    for type_ in types:
        for field in type_.__struct_fields__:
            for values in ({field: [{}]}, dict.fromkeys(type_.__struct_fields__, "text")):
                with contextlib.suppress(msgspec.ValidationError):
                    msgspec.convert(values, type_)

threads = [threading.Thread(target=read_all) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("all read")
"""


def test_threads_that_read_the_same_types_at_once_do_not_end_the_app():
    with python("-c", _AT_ONCE) as process:
        assert process.communicate()[0] == "all read\n"
        assert process.returncode == 0
