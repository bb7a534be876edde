"""Grade notebooks that were handed in: ``python -m unet_helpers grade FOLDER``.

``answers``  from a notebook to the code that makes each answer; nothing is run
``values``   values as text, between processes that do not trust each other
``sandbox``  the process in which a student's code runs
``judge``    the process in which the check runs, and no student's code
``folder``   a folder of submissions, a table, and a page for each student
"""
