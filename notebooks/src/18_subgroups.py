# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 18 Subgroups
#
# For whom is the network worse, and would my report show it?

# %% mystnb={"figure": {"caption": "Lung Dice of forty patients, one dot each, by a network trained on forty others. The diamond is the mean. Among the forty there is a group for whom the network is worse. Where?"}, "image": {"alt": "A single row of forty dots on an axis of Dice. Most lie between 0.9 and 0.98; a few lie lower. A diamond marks their mean. Nothing tells one dot from another."}}
import json

import numpy as np
import pandas as pd

from unet_helpers import plotting
from unet_helpers.teaching import RESULTS

with np.load(RESULTS / "subgroups_patients.npz") as stored:
    kept = {name: stored[name] for name in stored.files}
dice = kept["dice none"][0]  # Dice of 400 patients by one network
forty = np.random.default_rng(4).choice(len(dice), 40, replace=False)
plotting.show_groups({"all forty": dice[forty]}, "lung Dice", limits=(0.8, 1))

# %% [markdown]
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - report Dice by group with intervals over patients, and say nothing where there are too few,
# - say how many patients a group needs before a gap can be seen, and what looking at many groups does to that,
# - choose the report that would find a gap, and say what a report without one has shown,
# - tell a gap that the network makes from one that comes with other patients,
# - say what weights, more data and a threshold per group repair, and what they break.
#
# **You need before:** intervals over patients and power ([notebook 05b](05b_comparison.ipynb)). Helpful: where a network fails ([notebook 06](06_failure_analysis.ipynb)), another scanner ([notebook 09](09_domain_shift_and_transfer.ipynb)).
#
# **Minutes:** 50 to read, with three exercises, 1 to run on two cores. A break is marked in the middle.
#
# **The misconception it removes:** "The report shows no difference between groups, so there is none."
#
# </div>
