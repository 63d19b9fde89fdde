"""Draw pictures of networks.

In: a checked program. Out: files with drawings of its graph. The parts are

    drawn_units.py, picture_levels.py       program -> levels of boxes and wires
    drawing.py, layout/                     level -> boxes and curves with coordinates
    svg.py, page.py, diagrams.py, png.py    coordinates -> file
"""
