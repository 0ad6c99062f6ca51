"""Questions to the parts that fleet.py has written, in SQL."""

import duckdb
import pyarrow.dataset
import pyarrow.fs

# Why the chain of a signature ends where it does, in the words of the schema.
ENDS = {
    "deadlock": "The chain comes back to itself.",
    "running": "A thread on a processor.",
    "ready": "A thread that waits for a processor.",
    "no-owner": "A thread that waits for something that nobody owns: an event, a semaphore, a timer.",
    "lock": "A lock whose owner nothing tells, or a thread that waits for one: a push lock of which no thread keeps a note, a resource that a driver gave to something else than a thread, a lock of user mode.",
    "any-of": "A thread that waits for any of several things.",
    "user-input": "A thread that waits for the user: a window with an open question.",
    "page-in": "A thread whose page is on its way in.",
    "suspended": "A thread that was suspended.",
    "delay": "A thread that let a time pass.",
    "receiving": "A thread that received a message and waits for the next without having answered it: the work was handed to somebody else, or forgotten.",
    "terminated": "A thread that has ended.",
    "received": "A process one of whose threads received a message and has not answered it: nothing tells which thread.",
    "not-received": "A port whose messages nobody receives, although threads wait for them.",
    "at-limit": "A port whose completion port lets no more threads run.",
    "servers-blocked": "A port all of whose threads wait for something else.",
    "servers-running": "A port whose threads all run.",
    "servers-suspended": "A port whose threads were suspended.",
    "no-server": "A port that no thread serves at this moment.",
    "owner-gone": "A port, mutant or lock whose owner is gone.",
    "not-queued": "A message that is in no queue.",
    "free": "A mutant or lock that is free by now.",
    "io-pending": "An I/O request that has not ended.",
    "process-runs": "A process that runs.",
    "process-exited": "A process that has ended.",
    "unreadable": "Memory that the dump does not have.",
}

# The same bytes under two names are one dump: the first by name stands for them. Without a hash each is its own.
DUMPS = """
    select * from parts
    qualify row_number() over (partition by coalesce(dump_sha256, dump) order by dump) = 1"""

QUESTIONS = {
    "signatures": """
        select coalesce(signature, '! ' || error.id, '?') as signature, count(*) as dumps,
               min(dump) as first
        from dumps group by 1 order by dumps desc, signature limit 20""",
    "groups": """
        select signature, count(*) as dumps, array_to_string(list_sort(list(distinct build)), ', ') as builds,
               round(max(longest_wait_seconds) / 60, 1) as longest_minutes,
               max(root_blocker.threads_behind)::bigint as most_behind,
               mode(root_blocker.function) as function, mode(root_blocker.call) as call,
               mode(bug_check.name) as bug_check, mode(root_blocker."end") as "end", min(dump) as first
        from dumps where root_blocker is not null
        group by signature order by dumps desc, signature limit 20""",
    "builds": """
        select build, machine, count(*) as dumps, count(*) filter (deadlocks > 0) as with_deadlock,
               count(*) filter (stuck > 0) as with_waits
        from dumps where build is not null group by all order by dumps desc, build, machine""",
    "culprits": """
        select root_blocker.image as image, root_blocker."end" as "end", count(*) as dumps,
               sum(root_blocker.threads_behind)::bigint as threads_behind
        from dumps where root_blocker is not null
        group by all order by threads_behind desc, image, "end" limit 20""",
    "longest waits": """
        select dump, round(longest_wait_seconds / 60, 1) as minutes, root_blocker.image as culprit
        from dumps where longest_wait_seconds is not null order by longest_wait_seconds desc, dump limit 10""",
    "errors": """
        select error.id as error, count(*) as dumps, min(error.text) as example
        from dumps where error is not null group by 1 order by dumps desc, error""",
    "duplicates": """
        select dump_sha256, count(*) as copies, min(dump) as first, max(dump) as last
        from parts where dump_sha256 is not null
        group by 1 having copies > 1 order by copies desc, dump_sha256 limit 20""",
}


def ask(folder):
    """The answers to all questions, each as its columns' names and its rows."""
    files, folder = pyarrow.fs.FileSystem.from_uri(folder) if "://" in folder else local(folder)
    found = files.get_file_info(pyarrow.fs.FileSelector(folder))
    names = sorted(one.path for one in found if one.base_name.startswith("part-") and one.extension == "parquet")
    database = duckdb.connect()
    database.register("parts", pyarrow.dataset.dataset(names, format="parquet", filesystem=files))
    database.execute(f"create view dumps as {DUMPS}")
    for title, question in QUESTIONS.items():
        answer = database.execute(question)
        yield title, [column[0] for column in answer.description], answer.fetchall()


def local(folder):
    """A folder of this machine."""
    return pyarrow.fs.LocalFileSystem(), folder


def printable(value):
    """Text of a cell that cannot act on a terminal: names come out of dumps."""
    text = "" if value is None else str(value).splitlines()[0] if str(value) else ""
    return "".join(c if c.isprintable() else "?" for c in text)


def report(arguments):
    """Prints the answers; a group as a paragraph, the rest as tables."""
    for title, columns, rows in ask(arguments.folder):
        print(f"\n{title}")
        if title == "groups":
            print("\n".join(explained(dict(zip(columns, row))) for row in rows))
            continue
        cells = [columns] + [[printable(value) for value in row] for row in rows]
        widths = [max(len(row[at]) for row in cells) for at in range(len(columns))]
        for row in cells:
            print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def explained(group):
    """What dumps that hang alike have in common, and where to look."""
    of = {name: printable(value) for name, value in group.items()}
    lines = [of["signature"], f"    {of['dumps']} dumps, of builds {of['builds']}"]
    if of["end"]:
        lines.append(f"    it ends at: {of['end']}. {ENDS.get(of['end'], '')}".rstrip())
    more = {
        "behind it, at most": of["most_behind"] and f"{of['most_behind']} threads",
        "longest wait": of["longest_minutes"] and f"{of['longest_minutes']} minutes",
        "its thread is in": of["function"],
        "the call": of["call"],
        "bug check": of["bug_check"],
        "look at": f"alpc-dump {of['first']} hang",
    }
    return "\n".join(lines + [f"    {what}: {value}" for what, value in more.items() if value])
