"""What only the lessons need; nothing below imports it.

``checks``        self-checks of the exercises, one module per notebook
``grading``       grades for notebooks that were handed in
``museum``        a museum of bugs
``your_data``     the steps of notebook 15
``runs``          the folder of a run, and what is kept of it
``segment``       a kept run on new images
``browser``       a network for the engine that runs in a browser
``report``        an evaluation as a folder of files
``workers``       training on several processes
``all_reduce``    what adding up gradients costs
``jax_worker``    one worker: Keras on JAX
``engines``       one network in several engines
``step_cost``     what one training step costs here
``recorded``      the measured numbers of the book
``cells``         a scene of cells
``coarse_maps``   what a coarse map can say
``explanations``  maps that claim to explain, and their tests
``clicks``        clicks as channels, simulated, and a network that is asked with them
``structures``    more truth about a synthetic patient than its masks hold
``annotation``    what to annotate, and what it costs
``subgroups``     groups of patients, and who finds a gap
``hospitals``     hospitals that do not share data

``checks``, ``grading``, ``museum``, ``your_data``, ``runs``, ``segment``, ``browser``, ``report``, ``step_cost`` and
``jax_worker`` are imported as modules: they load figures and widgets, or run as programs. So are ``clicks`` and
``structures``, which notebook 17 alone needs.
"""

from .all_reduce import all_reduce_seconds, ring_all_reduce, step_seconds
from .cells import draw_cells
from .coarse_maps import best_from_coarse_map
from .recorded import RESULTS, describe_device
from .subgroups import attributes, crossings, found_by
from .workers import divide_processor, run_workers, train_in_processes, write_job

__all__ = [
    "RESULTS",
    "all_reduce_seconds",
    "attributes",
    "best_from_coarse_map",
    "crossings",
    "describe_device",
    "divide_processor",
    "draw_cells",
    "found_by",
    "ring_all_reduce",
    "run_workers",
    "step_seconds",
    "train_in_processes",
    "write_job",
]
