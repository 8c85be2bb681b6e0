"""The publications that more than one room cites.

A new theorem of a new paper defines its own `Source` in its own file.
"""

from thalweg._core.source import Source

CS439 = Source(
    "flammarion2025",
    "N. Flammarion",
    "Optimization for Machine Learning (CS-439), Lecture 6: Non-convex optimization",
    "EPFL, course slides of 28 March 2025",
    2025,
    "https://github.com/epfml/OptML_course",
)
ARORA2019 = Source(
    "arora2019",
    "S. Arora, N. Cohen, N. Golowich, W. Hu",
    "A Convergence Analysis of Gradient Descent for Deep Linear Neural Networks",
    "ICLR",
    2019,
    "arXiv:1810.02281",
)
CHITOUR2023 = Source(
    "chitour2023",
    "Y. Chitour, Z. Liao, R. Couillet",
    "A Geometric Approach of Gradient Descent Algorithms in Linear Neural Networks",
    "Mathematical Control and Related Fields 13(3)",
    2023,
    "arXiv:1811.03568",
)
BARTLETT2018 = Source(
    "bartlett2018",
    "P. L. Bartlett, D. P. Helmbold, P. M. Long",
    "Gradient descent with identity initialization efficiently learns positive "
    "definite linear transformations by deep residual networks",
    "ICML",
    2018,
    "arXiv:1802.06093",
)
SAXE2014 = Source(
    "saxe2014",
    "A. M. Saxe, J. L. McClelland, S. Ganguli",
    "Exact solutions to the nonlinear dynamics of learning in deep linear neural "
    "networks",
    "ICLR",
    2014,
    "arXiv:1312.6120",
)
WU2019 = Source(
    "wu2019",
    "L. Wu, Q. Wang, C. Ma",
    "Global convergence of gradient descent for deep linear residual networks",
    "NeurIPS",
    2019,
    beyond=True,
)
BRAUN2022 = Source(
    "braun2022",
    "L. Braun, C. Domine, J. Fitzgerald, A. Saxe",
    "Exact learning dynamics of deep linear networks with prior knowledge",
    "NeurIPS",
    2022,
    beyond=True,
)
DU2018 = Source(
    "du2018",
    "S. S. Du, W. Hu, J. D. Lee",
    "Algorithmic regularization in learning deep homogeneous models: layers are "
    "automatically balanced",
    "NeurIPS",
    2018,
    "arXiv:1806.00900",
    beyond=True,
)
GLOROT2010 = Source(
    "glorot2010",
    "X. Glorot, Y. Bengio",
    "Understanding the difficulty of training deep feedforward neural networks",
    "AISTATS",
    2010,
    beyond=True,
)
HE2015 = Source(
    "he2015",
    "K. He, X. Zhang, S. Ren, J. Sun",
    "Delving deep into rectifiers",
    "ICCV",
    2015,
    beyond=True,
)
ROY2007 = Source(
    "roy2007",
    "O. Roy, M. Vetterli",
    "The effective rank: a measure of effective dimensionality",
    "EUSIPCO",
    2007,
    beyond=True,
)
FUKUMIZU1998 = Source(
    "fukumizu1998",
    "K. Fukumizu",
    "Effect of batch learning in multilayer neural networks",
    "ICONIP",
    1998,
    beyond=True,
)
DOMINE2025 = Source(
    "domine2025",
    "C. Domine, N. Anguita, A. M. Proca, L. Braun, D. Kunin, P. A. M. Mediano, "
    "A. M. Saxe",
    "From lazy to rich: exact learning dynamics in deep linear networks",
    "ICLR",
    2025,
    "arXiv:2409.14623",
    beyond=True,
)
ACHOUR2024 = Source(
    "achour2024",
    "E. M. Achour, F. Malgouyres, S. Gerchinovitz",
    "The Loss Landscape of Deep Linear Neural Networks: a Second-order Analysis",
    "Journal of Machine Learning Research 25(242)",
    2024,
    "arXiv:2107.13289",
    beyond=True,
)
