"""Colors by name and by meaning: Okabe and Ito's, told apart by people who see color differently."""

BLACK, ORANGE, SKY_BLUE, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
# of lines that are no data: marks, diagonals, grids
GRAY, PALE_GRAY = "#999999", "#DDDDDD"

#: of the classes by index; background is black
CLASS_COLORS = (BLACK, SKY_BLUE, ORANGE, GREEN, PURPLE, YELLOW)
#: of right and wrong pixels
ERROR_COLORS = {"true positive": GREEN, "false positive": VERMILLION, "false negative": BLUE}
#: of outlines
TRUTH_COLOR, PREDICTION_COLOR = YELLOW, VERMILLION
