"""Grade sixty submissions, honest, broken and hostile ones, and print what each gets and what it must get.

The submissions are those of ``tests/submissions.py``; the tests of the series grade some of them, this grades all.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--guards-only", action="store_true", help="without the walls that Linux can give")
    parser.add_argument("names", nargs="*", help="some of them; default: all")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT / "tests"))
    # here, because each process that grades imports this file anew
    import make_editions
    from submissions import expected, write_submissions

    from unet_helpers.teaching.grading import folder as grading

    began = time.time()
    with tempfile.TemporaryDirectory() as place:
        editions = make_editions.make_editions(Path(place) / "editions")
        write_submissions(Path(place) / "submissions", editions, options.names)
        series = grading.read_series(ROOT / "notebooks")
        limits, only = {"seconds": 15, "memory": 1024, "files": 16}, ["00_first_segmentation"]
        students = grading.grade(
            Path(place) / "submissions",
            series,
            limits,
            not options.guards_only,
            1,
            only,
            lambda text: print(".", end="", flush=True),
        )
        grading.write(students, series, Path(place) / "out")
    print("\n| submission | 00.1 | 00.2 | 00.3 | as it must be | what is said |\n|---|---|---|---|---|---|")
    wrong = 0
    for student in students:
        verdicts = [result["verdict"] for result in student.results.values()]
        good = all(one in may for one, may in zip(verdicts, expected(student.name), strict=True))
        wrong += not good
        first = next(iter(student.results.values()))["message"]
        said = "; ".join([first, *student.remarks, *(r for a in student.answers.values() for r in a.remarks)])
        print(f"| {student.name} | {' | '.join(verdicts)} | {'yes' if good else 'NO'} | {said[:150]} |")
    print(f"\n{len(students)} submissions, {wrong} not as they must be, {time.time() - began:.0f} s")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
