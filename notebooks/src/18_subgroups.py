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

# %% mystnb={"figure": {"caption": "Lung Dice of forty patients, one dot each, by a network trained on forty others. The diamond is the mean. Among the forty there is a group for whom the network is worse. Where?"}, "image": {"alt": "A single row of forty dots on an axis of Dice. Most lie between 0.92 and 0.98; a few lie lower, down to 0.84. A diamond marks their mean. Nothing tells one dot from another."}}
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

# %% [markdown]
# One number for forty patients is the usual report. A **subgroup** is a part of the patients who have something in common: their sex, how they lie in the scanner, the dose. If few patients belong to it, the network can be bad for them and the mean hardly moves.
#
# In this chapter we plant such a **gap** on purpose: a network that has never seen one group. Then we know the truth, and can ask which report finds it. The patients are the phantom's.
#
# ## A report by group
#
# Begin with the network of the package and new patients. For each we write down what is known of the patient and the scan, and the Dice:

# %% nbval_tolerance=0.03
from unet_helpers import evaluate, load_checkpoint
from unet_helpers.data import subset_of_patients
from unet_helpers.phantom import make_patient
from unet_helpers.teaching import attributes

eight = [make_patient(18, index=index) for index in range(8)]
found = evaluate(load_checkpoint(), subset_of_patients(eight), ("background", "lung", "nodule")).cases
rows = found.pivot(index="patient", columns="class", values="dice").round(2)
known = pd.DataFrame([attributes(patient) for patient in eight], index=rows.index)
rows.join(known[["women", "obese", "low dose", "thick slices"]].replace({True: "yes", False: ""}))

# %% [markdown]
# The benchmark `subgroups.py` did this for 240 patients, whom neither training nor validation had. Patients without a nodule have no nodule Dice. Six questions are asked of each patient. Here are all twelve answers for the nodule:

# %% mystnb={"figure": {"caption": "Nodule Dice of the package's network in 240 further patients, by six attributes. A dot is a patient; diamond and bar are the mean and its 95 % interval; the number of patients with a nodule stands at the right. The dotted line is the mean of all."}, "image": {"alt": "Twelve rows of dots, two for each attribute. In every row the dots spread over the whole axis from 0 to nearly 1, most of them between 0.5 and 0.9. All means lie near the dotted line at 0.65, and their intervals hold it, but for obese patients, whose mean lies lower, near 0.6."}}
asked = ["women", "obese", "low dose", "sharp kernel", "thick slices", "contrast medium"]
people = pd.DataFrame({name.removeprefix("report "): v for name, v in kept.items() if name.startswith("report ")})
sides = {name: people.loc[people[name], "nodule"] for name in asked}
halves = {}
for name in asked:
    halves |= {name: people.loc[people[name], "nodule"], f"not {name}": people.loc[~people[name], "nodule"]}
plotting.show_groups(halves, "nodule Dice", limits=(0, 1), mark=people["nodule"].mean())

# %% [markdown]
# The intervals are over patients, as everywhere in this series. A report by group makes two mistakes easy. A patient with two scans counts as two. And a group of three patients gets a mean, which somebody will read.
#
# ### Exercise 18.1: a report that can be silent
#
# Write `report(dice, patients, groups)`: three arrays, one entry for each scan; a patient may have several. Return an array with a row for each group, in the order of `np.unique(groups)`, and three columns: the mean over the group's scans, and the two ends of its interval, which keeps the scans of a patient together. A group in which fewer than five patients have a Dice gets nan in all three. A Dice that is nan counts nowhere.
#
# <details><summary>Hint 1</summary>
#
# Eight scans of four patients: how many people does the report know? Which numbers of the row would you believe?
#
# <details><summary>Hint 2</summary>
#
# `bootstrap_interval` takes the patient of each value as its second argument. It leaves out nan, and with fewer than five patients it is silent already. What is left to make silent?
#
# <details><summary>Hint 3</summary>
#
# In a loop over `np.unique(groups)`, choose with `own = (groups == group) & np.isfinite(dice)`. Ask `len(np.unique(patients[own]))` before anything else.
#
# </details>
# </details>
# </details>

# %%
from unet_helpers import bootstrap_interval
from unet_helpers.teaching.checks import subgroups as check


def report(dice, patients, groups):
    return ...


check.report(report)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def report(dice, patients, groups):
    rows = []
    for group in np.unique(groups):
        own = (groups == group) & np.isfinite(dice)
        if len(np.unique(patients[own])) < 5:
            rows.append((np.nan, np.nan, np.nan))
        else:
            rows.append((dice[own].mean(), *bootstrap_interval(dice[own], patients[own])))
    return np.array(rows)


check.report(report)

# %% [markdown]
# `report_by_group` of the package does the same. Two means beside each other are still no comparison. What we want is their difference, the **gap**: the group's mean minus that of all others, with an interval. Nothing can be paired here, since the two sides are different people. (The interval is by Welch's t, which lets each side have its own spread.)

# %%
from unet_helpers.evaluation import gap_between

nodule_gaps = pd.DataFrame({name: gap_between(people["nodule"], people[name]) for name in asked}).T
nodule_gaps.round(3).astype({"patients": int, "others": int})

# %% [markdown]
# For obese patients the interval just leaves out 0. Is that a finding? Keep the question; the next section answers it. First the same table for the lung:

# %%
lung_gaps = pd.DataFrame({name: gap_between(people["lung"], people[name]) for name in asked}).T
lung_gaps[["gap", "low", "high", "p"]].round(4)

# %% tags=["remove-cell"]
assert nodule_gaps.loc["obese", "high"] < 0 < nodule_gaps.loc["obese", "p"] < 0.05
assert (nodule_gaps.drop("obese")["p"] > 0.2).all() and nodule_gaps.loc["obese", "gap"] < -0.05
assert (lung_gaps.loc[["obese", "sharp kernel", "contrast medium"], "p"] < 0.001).all()
assert (lung_gaps["gap"].abs() < 0.0015).all()

# %% [markdown]
# Three gaps with a tiny `p`, and none of them is larger than two thousandths of Dice. *Significant* is not *relevant*: say which gap would matter before you look. In this chapter we take 0.03 of Dice for lungs and 0.10 for nodules. These are choices, not facts.
#
# ## How many patients does a gap need?
#
# If there *is* a gap of 0.10 in the nodules, how often does a report show it? We ask as notebook 05b did: draw reports from the measured values, move the two sides apart by the gap, and count. There the two rules were tried on the same patients. Here the sides are strangers, so nothing drops out of the spread.

# %% mystnb={"figure": {"caption": "Share of simulated reports that find a gap in nodule Dice, over the patients with a nodule in *each* of the two groups. The line at 0.8 is what a study is often planned for."}, "image": {"alt": "Three rising curves over 10 to 640 patients. A gap of 0.2 is found in eight of ten reports with about 25 patients in each group, a gap of 0.1 with about 95, and a gap of 0.05 with about 380."}} nbval_tolerance=0.02
from unet_helpers.evaluation import power_of_gap

women, men = people.loc[people["women"], "nodule"], people.loc[~people["women"], "nodule"]
counts = [10, 20, 40, 80, 160, 320, 640]
curves = {f"gap of {gap}": [power_of_gap(women, men, gap, n) for n in counts] for gap in (0.2, 0.1, 0.05)}
fig = plotting.show_lines(counts, curves, "patients in each group", "power", limits=(0, 1.02))
fig.axes[0].axhline(0.8, color="#888888", linewidth=1)
fig.axes[0].set(xscale="log", xticks=counts, xticklabels=counts)
fig.axes[0].minorticks_off()
fig

# %% [markdown]
# Half the gap needs four times the patients. The benchmark searched the smallest numbers for a power of 0.8:

# %%
measured = json.loads((RESULTS / "subgroups.json").read_text(encoding="utf-8"))["results"]
spread = pd.DataFrame(measured["spread"]).T["sd"].rename("spread of Dice")
power = pd.DataFrame(measured["power"]).T.join(spread)
power[["spread of Dice", "gap", "one", "six", "one, half the gap"]].astype(
    {"one": int, "six": int, "one, half the gap": int}
)

# %% [markdown]
# *One* and *six* say how many groups the report looks at, and the numbers are patients in each group. The first row is the network of the package, the last one another network on patients of the archive, who differ more; it comes back below. What decides is the spread of Dice from patient to patient. For lungs five patients would do, which is also the fewest of whom the report says anything. For nodules it takes about a hundred in each of two equal groups. If the group is only a tenth of all patients, about fifty of them are enough, since the mean of the many others is hardly uncertain; that is still a report of about five hundred.
#
# So most reports by group can see a gap in the lungs, and hardly any a gap in the nodules. A table in which no `p` is small says at most that there was no gap large enough to be seen. Which gaps those are, the power says.
#
# ### Many looks
#
# A report with six groups has six chances to be wrong. If there is no gap at all, each look has a `p` below 0.05 in one of twenty reports. At least one of six independent looks has it in

# %%
print(f"{1 - 0.95**6:.0%} of the reports")

# %% [markdown]
# **Holm's rule** {cite:p}`holm1979multiple` raises the p-values so that all six together are wrong in at most one of twenty reports: the smallest is multiplied by six, the next by five, and so on. What becomes of the obese patients?

# %%
from unet_helpers.evaluation import holm

nodule_gaps.assign(holm=holm(nodule_gaps["p"]))[["gap", "low", "high", "p", "holm"]].round(3)

# %% tags=["remove-cell"]
raised = holm(nodule_gaps["p"])
assert raised.min() > 0.2
assert 80 < measured["power"]["nodule"]["one"] < 110 < measured["power"]["nodule"]["six"] < 170
assert measured["power"]["lung"]["one"] == 5 and 15 < measured["power"]["lung of the archive"]["one"] <= 20
at = {name: dict(zip(counts, curve)) for name, curve in curves.items()}
assert at["gap of 0.2"][20] < 0.8 < at["gap of 0.2"][40] and at["gap of 0.1"][80] < 0.8 < at["gap of 0.1"][160]
assert at["gap of 0.05"][320] < 0.8 < at["gap of 0.05"][640]

# %% [markdown]
# With the other looks counted, the gap of the obese patients is what chance brings in more than one of five such reports. That does not clear the network. With 58 obese patients a gap of 0.16 is as possible as none. **Nobody can tell from these patients.** The right answer is to name the number that could: make a new report with enough obese patients, and look at them alone, as *one* group named beforehand.
#
# ### Exercise 18.2: the fewest patients
#
# Somebody has simulated reports with a true gap. `p` has one row for each number in `patients`, which rises, and one column for each simulated report: the p-value of the group with the gap. The reports look at `looks` groups. A group is found if `p` is below 0.05 / `looks`. (That is simpler than Holm's rule, and a little stricter.) Write `fewest(p, patients, looks)`: the smallest number of patients with which at least 80 % of the reports find the gap; nan if none of the numbers is enough.
#
# <details><summary>Hint 1</summary>
#
# What is the power in one row? Write it down for a row of five p-values, for one look and for six.
#
# <details><summary>Hint 2</summary>
#
# `(p < limit).mean(axis=1)` is the power of each row. Choose from `patients` those with 0.8 or more. What is the smallest of nothing?
#
# </details>
# </details>


# %%
def fewest(p, patients, looks):
    return ...


check.fewest(fewest)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def fewest(p, patients, looks):
    power = (p < 0.05 / looks).mean(axis=1)
    enough = patients[power >= 0.8]
    return enough.min() if len(enough) else np.nan


check.fewest(fewest)

# %% [markdown]
# **A good place for a break:** up to here we asked what a report by group can see. From here on there is a gap, and we know where. Leave the notebook open, or run the cells above once more before you go on.
#
# ## A gap planted on purpose
#
# The benchmark trained lung U-Nets on forty patients of the archive: thin and obese, with arms up or down, with and without consolidation (parts of the lung full of fluid). One of the six attributes is made for this page: some patients lie **prone**, on their front. Here that means that the whole slice is turned by half, table included; who lies prone was drawn by lot, so that prone patients are like the others in all else.

# %% mystnb={"figure": {"caption": "One slice as it is, and as of a prone patient."}, "image": {"alt": "The same chest slice twice. At the left the spine is at the bottom, at the right the slice is turned by half and the spine is at the top."}}
image = subset_of_patients(eight[:1]).images[3, ..., 0]
plotting.show_images([image, image[::-1, ::-1]], ["on the back", "prone"])

# %% [markdown]
# Each network misses one group, and is measured on the validation patients *of that group*, beside a network that had everybody. All had forty patients and equally many steps.

# %%
left_out = pd.DataFrame(measured["left_out"]).T.astype({"patients": int})
left_out[["patients", "with", "without", "cost", "cost_low", "cost_high"]].rename_axis("left out").round(3)

# %% tags=["remove-cell"]
seen = left_out["cost_low"] > 0
assert list(left_out.index[seen]) == ["obese", "arms down", "prone"] and left_out["cost"].idxmax() == "prone"
assert left_out.loc["obese", "cost"] < 0.006 < 0.01 < left_out.loc["arms down", "cost"]

# %% [markdown]
# For women, consolidation and thick slices **no cost can be seen**, and for obese patients it is a few thousandths. A network that never saw a woman outlines women's lungs as well as the other one does, as far as so many validation patients can tell. A group that is missing in the training need not have a gap; whether it has one depends on the task {cite:p}`petersen2023path`. Patients with their arms down and prone patients do pay. (Each row is one training, and the intervals are over patients only: another seed would move them.)
#
# The cost is largest without prone patients, and so this gap was chosen, on the validation patients. All that follows is measured on 400 other patients, the **pool**. Do you find the gap in the forty of the first figure?

# %% mystnb={"figure": {"caption": "The forty patients of the first figure, divided."}, "image": {"alt": "Three rows of dots on an axis of lung Dice. All forty: a mean of 0.944. Prone, seven patients: dots from 0.84 to 0.95, a mean of 0.90 with a wide interval that ends where that of the others begins. Not prone, thirty-three patients: a mean a little above that of all."}}
members = {name.removeprefix("pool "): kept[name] for name in kept if name.startswith("pool ")}
prone = members["prone"]
rows = {"all forty": dice[forty], "prone": dice[forty][prone[forty]], "not prone": dice[forty][~prone[forty]]}
plotting.show_groups(rows, "lung Dice", limits=(0.8, 1))

# %% [markdown]
# And in the whole pool, with the Dice of three networks (three seeds) averaged:

# %%
by_recipe = {name.removeprefix("dice "): kept[name].mean(axis=0) for name in kept if name.startswith("dice ")}
in_pool = pd.DataFrame({name: gap_between(by_recipe["none"], inside) for name, inside in members.items()}).T
in_pool.round(3).astype({"patients": int, "others": int})

# %% tags=["remove-cell"]
assert in_pool["gap"].abs().drop(["prone", "consolidation"]).max() < 0.006
assert (in_pool.loc[["prone", "consolidation"], "gap"].between(-0.045, -0.027)).all()
assert in_pool.loc["prone", "patients"] == measured["prone_in_pool"] == 61

# %% [markdown]
# There are *two* gaps, of nearly one size. The report cannot tell them apart, but the table before it can: patients with consolidation were in the training, and leaving them out cost nothing that could be seen. Their lungs are hard for the network in any case. The prone patients were not in the training, and their gap goes when they are. So a gap has at least two kinds of reasons, and a remedy for the one does nothing for the other.
#
# ## Which report finds it?
#
# A hospital has no 400 patients with outlines. Say it has forty, and looks at six groups:

# %%
from unet_helpers.teaching import crossings, found_by

few = {name: inside[forty] for name, inside in members.items()}
print("six groups, each look alone:", found_by(dice[forty], few, correct=False))
print("six groups, Holm:           ", found_by(dice[forty], few))
print("sixty crossings, Holm:      ", found_by(dice[forty], crossings(few)))

# %% tags=["remove-cell"]
assert found_by(dice[forty], few, correct=False) == ["consolidation", "prone"]
assert found_by(dice[forty], few) == []
assert found_by(dice[forty], crossings(few)) == ["not consolidation, not prone"]

# %% [markdown]
# Look by look, the report names both gaps that are there. As soon as all six looks are counted it names nobody, and a careful author prints: *no difference between the groups was found*. Of the sixty crossings it names one, from the other side: who has neither of the two is better off. Would you have read a planted gap into that?
#
# That was one report. The benchmark drew a thousand reports of each size from the pool, with replacement, and counted those that name the prone patients. The kinds of report:
#
# - **overall**: the mean of all, against the mean of the validation patients, among whom nobody was prone,
# - **one group**: prone patients alone, named beforehand,
# - **six groups** with Holm's rule, and all **pairs crossed** (women and prone, women and not prone, …), sixty looks,
# - **lowest mean**: no test; the group with the lowest mean is the suspect.

# %% mystnb={"figure": {"caption": "Share of a thousand reports that find the planted gap, by the number of patients in the report; about one in seven of them is prone."}, "image": {"alt": "Five curves over 20 to 320 patients. One group named beforehand rises steepest, from a tenth at 20 patients to nearly nine tenths at 80. Six groups with Holm follow, with six tenths at 80 and nearly all at 160. Pairs crossed reach that at 320. The lowest mean stays below six tenths, and the overall mean below three tenths."}}
reports = {int(n): pd.DataFrame(kinds) for n, kinds in measured["reports"].items()}
shown = ["overall", "pairs crossed, Holm", "one group", "six groups, Holm", "lowest mean"]
curves = {kind: [table.loc["found", kind] for table in reports.values()] for kind in shown}
fig = plotting.show_lines(list(reports), curves, "patients in the report", "finds the gap", limits=(-0.02, 1.02))
fig.axes[0].set(xscale="log", xticks=list(reports), xticklabels=list(reports))
fig.axes[0].minorticks_off()
fig.set_size_inches(6.6, 2.9)
fig.axes[0].legend(loc="center left", bbox_to_anchor=(1, 0.5))
fig

# %% [markdown]
# And how often do they find something where there is nothing? The same values were dealt to the same patients by lot, so that no group can have a gap:

# %%
false = pd.DataFrame({n: table.loc["false"] for n, table in reports.items()}).dropna().T
false.round(2)

# %% tags=["remove-cell"]
found = {kind: dict(zip(reports, curve)) for kind, curve in curves.items()}
assert max(found["overall"].values()) < 0.3 and max(found["lowest mean"].values()) < 0.65
assert found["one group"][40] < 0.5 and found["one group"][80] > 0.8 and found["six groups, Holm"][40] < 0.25
assert 0.55 < found["six groups, Holm"][80] < 0.7 and found["six groups, Holm"][160] > 0.9
assert found["pairs crossed, Holm"][80] < 0.3 and found["pairs crossed, Holm"][320] > 0.95
assert false.loc[40:, "six groups"].between(0.2, 0.33).all() and (false["six groups, Holm"] < 0.09).all()
assert false.loc[40:, "pairs crossed, Holm"].max() > 0.2 and false.loc[40:, "pairs crossed, Holm"].min() > 0.08

# %% [markdown]
# - **The overall mean hides the gap**, even with 320 patients. It moves by half a hundredth.
# - **One group, named beforehand,** finds it in nearly nine of ten reports of 80 patients, of whom about twelve are prone. With 40 patients most reports miss it, although the gap is there.
# - **Six groups with Holm's rule** find it in about six of ten reports of 80 patients. Without the rule they find as much as one group does, and in about a quarter of the reports something that is not there.
# - **All pairs crossed** find it in one of four such reports. They also raise false alarms more often than Holm's rule promises. A crossing may have five patients, and Dice is skewed; Welch's t is not made for that, which may be the reason.
# - **The lowest mean** points at prone patients in little more than half of the reports, however many there are, because patients with consolidation have as large a gap. And it always points at somebody.
#
# A report can only find a group that it looks at: without a column for the position, none of these reports would have found anything. Do you have that column? In a DICOM file it is `PatientPosition`.

# %% [markdown]
# ## A gap that comes with other patients
#
# The other way round: a report can show a gap that the network does not make. Back to the package's network and the nodules. Imagine a hospital that scans with low dose above all people who come for screening, whose nodules are mostly small. We make this hospital from our 240 patients: all with low dose and small nodules stay, all with standard dose and large ones, and of the others one in five, by lot.

# %%
rng = np.random.default_rng(0)
low, small = people["low dose"], people["nodule_mm"] < 15
stays = rng.random(len(people)) < np.where(low == small, 1, 0.2)
hospital = people[stays & people["nodule"].notna()]
pd.Series(gap_between(hospital["nodule"], hospital["low dose"])).round(3)

# %% [markdown]
# "The network is worse at low dose"? Divide by size before you say so:

# %%
sizes = pd.cut(hospital["nodule_mm"], [0, 10, 15, 20, 31], right=False)
by_size = hospital.groupby([sizes, "low dose"], observed=True)["nodule"].agg(["mean", "count"]).unstack().round(2)
by_size

# %% [markdown]
# Within a size the two doses differ little, but their patients have different sizes. Size is a **confounder**: it goes with the group, and with the Dice. The extreme case has a name, Simpson's paradox: within each size one group is better, and over all sizes the other.
#
# ### Exercise 18.3: among patients alike
#
# Write `adjusted(dice, inside, strata)`: the Dice of each patient, who belongs to the group (`True`), and the **stratum** of each patient, such as the size of the nodule. In each stratum take the group's mean minus the mean of the others. Return the mean of these gaps, each weighed by the number of the *group's* patients in its stratum. A stratum without patients on one of the two sides says nothing, and is left out.
#
# <details><summary>Hint 1</summary>
#
# Ten of the group's patients have small nodules and two have large ones. Which stratum tells more about the group?
#
# <details><summary>Hint 2</summary>
#
# In a loop over `np.unique(strata)`, take `own` and `others` with two masks. If both have somebody, keep the difference of their means in one list, and `len(own)` in a second.
#
# <details><summary>Hint 3</summary>
#
# `np.average` takes the second list as `weights`.
#
# </details>
# </details>
# </details>


# %%
def adjusted(dice, inside, strata):
    return ...


check.adjusted(adjusted)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def adjusted(dice, inside, strata):
    gaps, weights = [], []
    for stratum in np.unique(strata):
        own, others = dice[inside & (strata == stratum)], dice[~inside & (strata == stratum)]
        if len(own) and len(others):
            gaps.append(own.mean() - others.mean())
            weights.append(len(own))
    return np.average(gaps, weights=weights)


check.adjusted(adjusted)

# %% [markdown]
# With an interval by the bootstrap over patients, as in notebook 05b:

# %%
columns = hospital["nodule"].to_numpy(), hospital["low dose"].to_numpy(bool), sizes.cat.codes.to_numpy()
draws = np.random.default_rng(0).integers(len(hospital), size=(1000, len(hospital)))
again = [adjusted(*(column[drawn] for column in columns)) for drawn in draws]
ends = np.quantile(again, [0.025, 0.975])
print(f"among patients of one size {adjusted(*columns):.2f}, interval {ends[0]:.2f} to {ends[1]:.2f}")
print(f"all 240 patients, nobody sent away: {gap_between(people['nodule'], low)['gap']:.2f}")

# %% tags=["remove-cell"]
raw = gap_between(hospital["nodule"], hospital["low dose"])
assert raw["high"] < 0 and raw["gap"] < -0.1
assert -0.06 < adjusted(*columns) < 0.02 and ends[0] < -0.08 and ends[1] > 0.03
assert abs(gap_between(people["nodule"], low)["gap"]) < 0.03

# %% [markdown]
# Most of the gap is gone. What is left holds 0, and its interval is wide: there are few small nodules at standard dose to compare with. Two of the low-dose patients have such small nodules that nobody at standard dose can stand beside them. They are left out, and that alone takes a part of the gap away; the adjusted gap says nothing of these two. In the phantom we know more: size and dose are drawn apart from each other, and over all 240 patients there is next to no gap.
#
# Adjusting is no way to make a gap go away. The patients who come for screening *do* get worse outlines. What has changed is the reason, and with it the remedy: other images at low dose would not help them, a network that is better with small nodules would. And do not adjust for what the network itself brings about, such as the size of the *predicted* nodule.

# %% [markdown]
# ## Repairs, and what they break
#
# Back to the prone patients. The benchmark trained five repairs, three seeds each, with the same forty people and equally many steps. In each some of the forty lie prone:
#
# | repair | prone among the forty |
# |---|---|
# | none | 0 |
# | few | 2 |
# | few, weighted | the same 2, each taken four times |
# | as many as there are | 6, as in the pool |
# | half of all | 20 |
# | turned by chance | 0, but every slice is also shown turned by half ([augmentation](04_gpu_training.ipynb)) |

# %% mystnb={"figure": {"caption": "Lung Dice with each repair, for the prone and the other patients of the pool. A dot is one of three seeds, the diamond their mean."}, "image": {"alt": "Two panels with a row for each of six repairs. Prone patients, left: none lies lowest, near 0.917; few and weights a little higher; as many as there are near 0.93; half of all and turned by chance highest, near 0.94. The others, right: the order is nearly turned round, from 0.952 without a repair down to 0.942 with half of all."}}
repairs = measured["repairs"]
runs = {name: {f"{side}_seeds": row[side]["seeds"] for side in row} for name, row in repairs.items()}
titles = {"Dice of prone patients": "prone", "Dice of the others": "others"}
plotting.show_estimates(runs, titles, limits=(0.91, 0.96), panel=3.4)

# %% [markdown]
# And what each changes against no repair, in the same patients, so that the intervals are over paired differences (of Dice averaged over the seeds):

# %%
changes = {
    name: {f"{side} {key}": row[side][key] for side in row for key in ("gain", "gain_low", "gain_high")}
    for name, row in repairs.items()
}
pd.DataFrame(changes).T.drop("none").round(3)

# %% [markdown]
# - **Two prone patients** help a little already, and cost the others nothing that could be seen.
# - **Weights** show the network the same two patients four times, and no new one. In each of the three seeds both sides are *worse* than with the two alone.
# - **As many as there are** gain more, and about half of the gap stays.
# - **Half of all**, and **turning by chance**, all but close the gap. In the same number of steps the network has more to learn, and the others pay about a hundredth of Dice. They are most of the patients:

# %%
pd.Series({name: values.mean() for name, values in by_recipe.items()}, name="Dice of everybody").round(3)

# %% tags=["remove-cell"]
gains = pd.DataFrame(changes).T
both_worse = [
    np.less(repairs["few, weighted"][side]["seeds"], repairs["few"][side]["seeds"]).all()
    for side in ("prone", "others")
]
assert all(both_worse) and gains.loc["few", "prone gain_low"] > 0 > gains.loc["few", "others gain_low"] > -0.002
closed = {name: gap_between(values, prone)["gap"] for name, values in by_recipe.items()}
assert (
    min(closed["half of all"], closed["turned by chance"]) > -0.006 and -0.022 < closed["as many as there are"] < -0.012
)
assert (gains.loc[["half of all", "turned by chance"], "others gain"].between(-0.013, -0.006)).all()
everybody = {name: values.mean() for name, values in by_recipe.items()}
assert min(everybody, key=everybody.get) == "half of all" and everybody["none"] > everybody["turned by chance"] + 0.002

# %% [markdown]
# Somebody who chooses by this number leaves most of the gap as it is. Somebody who chooses by the gap alone takes "half of all", and may be content with a network that has come closer by being worse for most. So give both sides, and say beforehand what one may cost the other. (A longer training might take the price away. It was not tried.)
#
# A **threshold per group** needs no training: on the validation patients of each side, take the probability from which on a pixel is lung so that the Dice of that side is best.

# %%
rows = {}
for name in ("none", "few"):
    one = measured["thresholds"][name]
    for side in ("prone", "others", "others, taken for prone"):
        chosen = one[f"chosen_{'others' if side == 'others' else 'prone'}"]
        rows[name, side] = {"thresholds, by seed": chosen} | one[side]
pd.DataFrame(rows).T.rename_axis(["repair", "used for"])

# %% tags=["remove-cell"]
assert all(0 < rows[key]["gain"] < 0.005 for key in rows if key[1] != "others, taken for prone")
assert all(rows[name, "prone"]["gain"] - rows[name, "others"]["gain"] < 0.003 for name in ("none", "few"))
assert all(-0.001 < rows[key]["gain"] < 0.003 for key in rows if key[1] == "others, taken for prone")

# %% [markdown]
# Each side gains a few thousandths at most, and since both gain, the gap shrinks by a ninth or less: it is no matter of the threshold. And this repair asks for more than the others: it needs to know who is prone, for each patient, on the day of use. Who is taken for prone and is not gets the wrong threshold. Here that takes back about a thousandth, since the two thresholds lie close to each other. Where they lie apart it would.
#
# ## What these groups cannot say
#
# Our groups are numbers in a program: that the network treated women and men alike here says nothing about women and men. In people, groups differ in their diseases, in how they come to a scanner and in who outlined them, and networks have been worse for those who were rare in the training {cite:p}`larrazabal2020gender,puyolanton2021fairness` and for those who belong to two disadvantaged groups at once {cite:p}`seyyedkalantari2021underdiagnosis`; the page on [ethics](../book/ethics_and_model_card.md) says what else to ask.

# %% [markdown]
# ## Take-aways
#
# - Report by group, with intervals over patients, and be silent below five.
# - Name the gap that would matter first, then say how many patients a group needs for it. For nodules that is about a hundred on each side here, for lungs five to twenty.
# - Six looks are six chances to be wrong. Holm's rule, or one group named beforehand.
# - A report can only find a group that it looks at, and the overall mean looks at none.
# - A group missing in the training need not have a gap, and a gap need not come from the training.
# - Ask what goes with the group: compare among patients alike.
# - Measure a repair on both sides. Some take from one side what they give to the other.
#
# ## Questions to test yourself
#
# 1. A report of forty patients shows no difference between any two groups. What has it shown?
#
#    - A. That there is no gap.
#    - B. That no gap was large enough to be seen with so few patients, in the groups it looked at.
#    - C. That the groups are too small, so nothing at all.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** The intervals say which gaps are left, and the power says which would have been seen.
# - **Not A:** with seven prone patients a gap is often missed; and a group that is in no column cannot be found.
# - **Not C:** for lungs, a few patients show a gap of 0.03. It depends on the spread.
#
# </details>
#
# 2. A group has three patients with a Dice of 0.2, 0.9 and 0.9. What goes into the report?
#
#    - A. Their number, and perhaps their range.
#    - B. A mean of 0.67 with its interval.
#    - C. Nothing; the group is dropped from the table.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** Readers should see that the group is there and that nothing is known about it.
# - **Not B:** the interval would be wider than the axis, and the mean would be read without it.
# - **Not C:** a group that disappears from the table looks as if nobody belonged to it.
#
# </details>
#
# 3. Twenty groups are looked at, and one has `p` = 0.03. Is that a finding?
#
#    - A. Yes, 0.03 is below 0.05.
#    - B. Yes, if the gap is large.
#    - C. Not yet: by chance one of twenty has such a `p`. Look at this group again, alone, in new patients.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** A new report with this one group, named beforehand, is one look.
# - **Not A:** 0.05 is for one look.
# - **Not B:** in small groups chance makes large gaps.
#
# </details>
#
# 4. The gap of a group is gone once patients with nodules of one size are compared. What follows?
#
#    - A. The group is served as well as the others.
#    - B. The group's outlines are worse, and the reason is the size of its nodules.
#    - C. The first report was computed wrongly.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** What changes is where to look for a remedy.
# - **Not A:** its patients still get worse outlines.
# - **Not C:** both numbers are right. They answer two questions.
#
# </details>
#
# 5. Why is the lowest of six means no finding?
#
# <details><summary>Answer</summary>
#
# One of six means is always the lowest, also where there is no gap. It says where to look next, in new patients.
#
# </details>
#
# ## Read more
#
# - Larrazabal and others (2020) {cite:p}`larrazabal2020gender`: networks trained on one sex, tested on the other.
# - Puyol-Antón and others (2021) {cite:p}`puyolanton2021fairness`: a segmentation network with a gap in Dice, and three repairs.
# - Seyyed-Kalantari and others (2021) {cite:p}`seyyedkalantari2021underdiagnosis`: groups crossed, and who is called healthy by mistake.
# - Petersen and others (2023) {cite:p}`petersen2023path`: where gaps come from, and when more data help.
# - Singh and others (2023) {cite:p}`singh2023audits`: how many patients a report by group needs, for networks that say yes or no.
# - Oakden-Rayner and others (2020) {cite:p}`oakdenrayner2020hidden`: groups that nobody has a column for.
# - The words of this page are in the [glossary](../book/glossary.md).
