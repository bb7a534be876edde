"""Synthetic chest CT patients, made from a seed: the data that the series carries with it.

Each patient is an anatomy drawn from a seed (``anatomy``), filled with vessels (``vessels``) and nodules
(``nodules``), painted slice by slice in Hounsfield units (``painting``) and measured by a simulated scanner
(``scanner``); ``patients`` puts them together. The masks are the truth of the drawing, before the scanner blurs it
and adds noise.

It is teaching material: what a network reaches here says nothing about patients.

>>> from unet_helpers.phantom import make_patients
>>> [patient.patient_id for patient in make_patients(2, size=64, slices=2)]
['P001', 'P002']
"""

from .anatomy import Anatomy
from .nodules import Nodule
from .patients import Patient, make_patient, make_patients
from .scanner import Acquisition

__all__ = ["Acquisition", "Anatomy", "Nodule", "Patient", "make_patient", "make_patients"]
