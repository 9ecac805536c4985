"""Files that are too big to be committed unasked: they are left as they are, and the phase says so."""

from __future__ import annotations

from tests.path.house import House
from tests.path.repositories import RESULT


def test_a_big_new_file_is_left_out_and_told_of_unless_the_agent_stages_it(daemon: House) -> None:
    script = f"truncate -s 51M left.bin; truncate -s 52M wanted.bin; git add wanted.bin; echo x > small; {RESULT}"
    phases = [{"name": name, "agent": name} for name in ("build", "ship")]
    agents = daemon.agent("build", script) | daemon.agent("ship", f"test -e left.bin && echo y > seen; {RESULT}")
    demo = daemon.project(agents=agents, phases=phases)
    item = demo.work()
    daemon.done(item)
    changed = demo.git("diff", "--name-only", "main", f"golem/{item}").splitlines()
    assert changed == ["seen", "small", "wanted.bin"], "what is left out is still there for the next phase"
    (warning,) = daemon.show(item).phases[0].warnings
    assert warning.startswith("left.bin (51 MB) is left as it is")
    kept = daemon.until("work.kept", item, then="removed")["data"]
    assert "left.bin (big)" in kept["listed"]
