"""Plots of evaluations as SVG: from numbers to elements. Knows nothing about reports, pages or colours."""
