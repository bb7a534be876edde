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
# # 17 Prompts: a network that takes clicks
#
# Can one network outline whatever I click on?

# %%
from unet_helpers import plotting
from unet_helpers.data import window
from unet_helpers.phantom import make_patient
from unet_helpers.teaching.clicks import keras_segmenter, load_click_network

segment = keras_segmenter(load_click_network())
patient = make_patient(0, index=PATIENT)
image = window(patient.volume[SLICE], -600, 1500)


def ask(image, clicks):
    positive, negative = ([click[:2] for click in clicks if click[2] is kind] for kind in (True, False))
    return segment([image], [positive], [negative])[0]


# %% mystnb={"figure": {"caption": "One slice, one network, four questions. A plus says: this belongs to it. A cross says: this does not."}, "image": {"alt": "ALT1"}}
questions = {"a lung": [(0, 0, True)], "a nodule": [(0, 0, True)]}
questions |= {"the heart: one click": [(0, 0, True)], "the heart: three clicks": [(0, 0, True), (0, 0, False), (0, 0, False)]}
answers = [ask(image, clicks) for clicks in questions.values()]
plotting.show_clicks([image] * 4, answers, list(questions.values()), list(questions))
