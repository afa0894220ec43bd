"""Metrics: how far samples are from the distribution they should follow, with the floor that sampling alone gives."""

from course_lib.metrics.detection import Interval, auroc
from course_lib.metrics.divergence import JSD, Coverage, energy_distance, jsd, modes
from course_lib.metrics.frechet import FCD, Features, fcd, features, frechet
from course_lib.metrics.images import gradient_energy, psnr, radial_spectrum, ssim
