"""Long work as child processes that live on without the page: start, watch, stop, resume.

``supervisor`` is the parent's side (pages, shell), ``context`` and ``runner`` the child's. The two share nothing but
the job's folder, ``settings.jobs/<id>/``:

    job.json        what was asked for; written once
    process.json    which process was started for it, and for the how-manieth time; written by the parent
    status.json     how far it is; written by the child (the parent writes only the first, "queued")
    stop            flag: the user asked for a stop
    metrics.jsonl   numbers over time, one JSON object per line
    log.txt         whatever the child printed
    run.lock        held by the one process that may work on the job
    launch.lock     held while a process is being started for it
"""
