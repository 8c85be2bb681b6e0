"""Second moments streamed from Parquet files: exact, resumable, clear about faults."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from fractions import Fraction
from itertools import product
from multiprocessing import get_context

import jax
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import thalweg as tw
from thalweg._core.errors import DataError, DomainError, StoreError, UnknownName
from thalweg.problem._streaming import pieces, planning
from thalweg.problem._streaming.sums import merged, sums_of
from thalweg.problem._streaming.threads import Threads
from thalweg.problem._streaming.tree import Tree
from thalweg.problem.streams import streamed
from tolerances import same_arrays

ROWS = 6000


def write(path, columns, group=1000, **options):
    pq.write_table(pa.table(columns), path, row_group_size=group, **options)
    return path


def named(matrix, targets=1):
    width = matrix.shape[1] - targets
    names = [f"x{k}" for k in range(width)] + [f"y{k}" for k in range(targets)]
    return dict(zip(names, matrix.T, strict=True))


def samples(seed=0, rows=ROWS):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, 4)) * [1, 100, 1e-3, 1] + [3, 1e4, 0, -2]
    y = np.column_stack([x[:, 0] + rng.standard_normal(rows), 1e3 * x[:, 2] + 7])
    return x, y


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two files with the samples, cut into many pieces."""
    monkeypatch.setattr(planning, "CELLS", 6000)
    table = np.column_stack(samples())
    place = tmp_path / "data"
    place.mkdir()
    write(place / "a.parquet", named(table[:2500], 2), 700)
    write(place / "b.parquet", named(table[2500:], 2), 1000)
    return place


def exact(matrix):
    """Return means and centred second moments in extended precision."""
    first = matrix[0].astype(np.longdouble)
    apart = matrix.astype(np.longdouble) - first
    mean = apart.mean(axis=0)
    apart -= mean
    return first + mean, apart.T @ apart


def normal(shift=0.0, scale=1.0):
    def make(rng):
        return rng.standard_normal((ROWS, 4)) * scale + shift

    return make


def drifting(rng):
    return rng.standard_normal((ROWS, 4)) + 1e9 + np.linspace(0, 1e3, ROWS)[:, None]


def far_beginning(rng):
    matrix = rng.standard_normal((ROWS, 4))
    matrix[:1000] += 1e9
    return matrix


def far_rows(rng):
    matrix = rng.standard_normal((ROWS, 4))
    matrix[::1000] = 1e12
    return matrix


def stepping(rng):
    return rng.standard_normal((ROWS, 4)) + 1e7 * (np.arange(ROWS) // 1500)[:, None]


def barely_varying(rng):
    matrix = np.full((ROWS, 4), 1e9)
    matrix[17, 0] += 2.0**-23
    matrix[:, 1] += (rng.random(ROWS) < 0.5) * 2.0**-23
    matrix[:, 3] = rng.standard_normal(ROWS)
    return matrix


ADVERSARIES = {
    "plain": normal(),
    "mean 1e6": normal(1e6),
    "mean 1e9": normal(1e9),
    "mean -1e9 and scales": normal([-1e9, 1e6, 0, 1e9], [1e-6, 1e8, 1e-8, 1]),
    "drifting": drifting,
    "far beginning": far_beginning,
    "far rows": far_rows,
    "steps": stepping,
    "barely varying": barely_varying,
}


@pytest.mark.parametrize("method", ["moments", "qr"])
@pytest.mark.parametrize("case", ADVERSARIES)
def test_second_moments_keep_twelve_digits(case, method, tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "CELLS", 4000)
    matrix = ADVERSARIES[case](np.random.default_rng(1))
    file = write(tmp_path / "a.parquet", named(matrix), 1000)
    sums = streamed(file, ["y0"], method=method).sums
    found = sums.matrix.T @ sums.matrix if sums.triangular else sums.matrix
    mean, expected = exact(matrix)
    sizes = np.sqrt(np.diag(expected)) + (np.diag(expected) == 0)
    assert np.max(np.abs(found - expected) / np.outer(sizes, sizes)) <= 1e-12
    gap = np.abs((sums.high - mean) + sums.low)
    assert np.all(gap <= 1e-12 * sizes / ROWS**0.5 + 2e-18 * np.abs(mean))
    assert sums.rows == ROWS


def test_sums_agree_with_rational_arithmetic():
    rng = np.random.default_rng(2)
    matrix = rng.standard_normal((90, 2)) * [1, 1e-8] + [1e9, 1]
    parts = [sums_of(list(part.T.copy()), False) for part in np.split(matrix, 3)]
    sums = merged(merged(parts[0], parts[1]), parts[2])
    rational = [[Fraction(x) for x in column] for column in matrix.T]
    means = [sum(column) / 90 for column in rational]
    for i, j in ((0, 0), (0, 1), (1, 1)):
        true = sum(
            (a - means[i]) * (b - means[j])
            for a, b in zip(rational[i], rational[j], strict=True)
        )
        sizes = sums.matrix[i, i] ** 0.5 * sums.matrix[j, j] ** 0.5
        assert abs(float(Fraction(sums.matrix[i, j]) - true)) <= 1e-14 * sizes
    for k in range(2):
        found = Fraction(sums.high[k]) + Fraction(sums.low[k])
        assert abs(float(found - means[k])) <= 1e-15 * sums.matrix[k, k] ** 0.5


def test_a_constant_column_has_exactly_no_variance(tmp_path):
    columns = {"a": np.full(999, 0.1), "b": np.arange(999.0), "y": np.arange(999.0)}
    file = write(tmp_path / "a.parquet", columns, 100)
    assert streamed(file, ["y"]).sums.matrix[0, 0] == 0
    moments = tw.Moments.from_parquet(file, ["y"], center=True)
    assert moments.preparation.constant == (0,)


@pytest.mark.parametrize("constant_in_pieces", [False, True])
def test_deviations_whose_squares_vanish_are_told_or_kept(
    constant_in_pieces, tmp_path, monkeypatch
):
    monkeypatch.setattr(planning, "CELLS", 600)
    rng = np.random.default_rng(6)
    x = rng.standard_normal((ROWS, 2)) * [1e-160, 1.0]
    if constant_in_pieces:
        x[:, 0] = 1e-170 * (np.arange(ROWS) // 1000)
    matrix = np.column_stack([x, 1e160 * x[:, 0] + x[:, 1]])
    file = write(tmp_path / "a.parquet", named(matrix), 500)
    with pytest.raises(
        DataError, match=r"^column 'x0' of .* less than 1e-150.*method='qr'\.$"
    ):
        streamed(file, ["y0"])
    sums = streamed(file, ["y0"], method="qr").sums
    large = matrix * [1e160, 1, 1]
    _, expected = exact(large)
    found = sums.matrix * [1e160, 1, 1]
    sizes = np.sqrt(np.diag(expected))
    gap = np.abs(found.T @ found - expected) / np.outer(sizes, sizes)
    assert gap.max() <= 1e-12
    options = {"center": True, "whiten": True}
    moments = tw.Moments.from_parquet(file, ["y0"], method="qr", **options)
    known = tw.Moments.from_data(large[:, :2], large[:, 2], **options)
    assert moments.rank == known.rank == 2
    sizes = [np.abs(each.target) for each in (moments, known)]  # of two equal axes
    assert np.max(np.abs(sizes[0] - sizes[1])) <= 1e-12 * np.max(sizes[1])


def test_columns_of_small_numbers_with_some_large_are_summed(tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "CELLS", 600)
    x = np.exp(-(np.linspace(0, 40, ROWS) ** 2))
    file = write(tmp_path / "a.parquet", {"x": x, "y": x * 0 + np.arange(ROWS)}, 500)
    _, expected = exact(np.column_stack([x, np.arange(ROWS)]))
    gap = np.abs(streamed(file, ["y"]).sums.matrix / expected - 1)
    assert gap.max() <= 1e-12


class Backwards:
    """Takes the last task first, each through pickle, in this process."""

    def map(self, function, tasks):
        for place in reversed(range(len(tasks))):
            yield place, function(tasks[place])


class Processes:
    """Two processes of their own."""

    def map(self, function, tasks):
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            yield from enumerate(pool.map(function, tasks))


@pytest.mark.parametrize("method", ["moments", "qr"])
@pytest.mark.parametrize("engine", [Threads(1), Threads(5), Backwards(), Processes()])
def test_bits_do_not_depend_on_the_engine(engine, method, folder):
    one = streamed(folder, ["y0"], method=method).sums
    other = streamed(folder, ["y0"], method=method, engine=engine).sums
    for field in ("high", "low", "matrix"):
        same_arrays(getattr(one, field), getattr(other, field))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13])
def test_the_tree_does_not_depend_on_the_order(count):
    rng = np.random.default_rng(count)
    leaves = [sums_of(list(rng.standard_normal((2, 9)) + 1e9), False)] * count
    leaves = [
        sums_of(list(rng.standard_normal((2, 9)) + k), False) for k in range(count)
    ]
    ordered, shuffled = Tree(), Tree()
    for leaf in leaves:
        ordered.add(leaf)
    for place in rng.permutation(count):
        shuffled.add(leaves[place], int(place))
    same_arrays(ordered.total().matrix, shuffled.total().matrix)
    same_arrays(ordered.total().low, shuffled.total().low)


RECIPES = [
    {"center": c, "whiten": w, "scale": s, "bias": b, "labels": label}
    for c, w, s, b, label in product(
        (False, "inputs", True),
        (False, True),
        ("mean", "sum"),
        (False, True),
        ("raw", "standard", "unit"),
    )
    if not (b and w and c is False)
][::3]


@pytest.mark.parametrize("method", ["moments", "qr"])
def test_streamed_moments_are_those_of_the_samples(method, folder):
    """Condition number of the standardised inputs: 1e4 uncentred, 2 centred."""
    x, y = samples()
    for recipe in RECIPES:
        given = {**recipe, "rescale": recipe["labels"]}
        del given["labels"]
        known = tw.Moments.from_data(x, y, **given)
        found = tw.Moments.from_parquet(folder, ["y0", "y1"], method=method, **recipe)
        loose = 1e8 if recipe["center"] is False else 10.0
        rtol = {"qr": 1e-11, "moments": 1e-15 * loose}[method]
        for name in ("xx", "yx", "yy", "target"):
            one, other = getattr(found, name), getattr(known, name)
            gap = np.max(np.abs(one - other)) / np.max(np.abs(other))
            assert gap <= max(rtol, 1e-11), (name, recipe, gap)
        energy = float(np.trace(known.yy))
        gap = abs(float(found.constant - known.constant))
        assert gap <= max(rtol, 1e-11) * energy, recipe
        assert found.samples == ROWS
        assert found.rank == known.rank
        seen, expected = found.to_coordinates(x[:9]), known.to_coordinates(x[:9])
        np.testing.assert_allclose(seen, expected, rtol=0, atol=1e-8)
        back = found.to_labels(y[:9])
        np.testing.assert_allclose(back, known.to_labels(y[:9]), rtol=1e-9)


def test_equal_and_text_columns_are_told(tmp_path):
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((2, 500))
    almost = a.copy()
    almost[-1] += 1e-12
    columns = {"a": a, "s": ["t"] * 500, "b": b, "c": a, "d": almost, "y": a}
    file = write(tmp_path / "a.parquet", columns, 120)
    record = tw.Moments.from_parquet(file, ["y"], center=True).preparation
    assert record.duplicates == ((0, 2),)
    assert record.feature_names == ("a", "b", "c", "d")
    assert record.rank == 2
    assert "left out, being no numbers: s" in record.note


def test_every_kind_of_number_is_read(tmp_path):
    rng = np.random.default_rng(4)
    whole = rng.integers(-9, 9, 300)
    columns = {
        "f32": pa.array(whole / 4, pa.float32()),
        "f16": pa.array((whole / 2).astype(np.float16)),
        "i8": pa.array(whole[::-1].copy(), pa.int8()),
        "u64": pa.array(whole + 9, pa.uint64()),
        "bool": pa.array(whole > 0),
        "decimal": pa.array([Decimal(int(k) ** 2) / 8 for k in whole]),
        "coded": pa.array(whole.astype(float) ** 3).dictionary_encode(),
        "y": rng.standard_normal(300),
    }
    file = write(tmp_path / "a.parquet", columns, 77)
    plain = [whole / 4, whole / 2, whole[::-1], whole + 9, whole > 0, whole**2 / 8]
    plain.append(whole.astype(float) ** 3)
    matrix = np.column_stack([*plain, columns["y"]]).astype(float)
    found = streamed(file, ["y"])
    assert found.precision[:3] == (2.0**-23, 2.0**-10, 2.0**-52)
    _, expected = exact(matrix)
    np.testing.assert_allclose(found.sums.matrix, expected.astype(float), atol=1e-9)


def near(file, kind, sizes):
    """Return features apart by 1e-2, a far one, and their sum; one of a kind."""
    rng = np.random.default_rng(7)
    a, b = rng.standard_normal((2, ROWS))
    columns = {"a": pa.array(a).cast(kind), "b": a + sizes * b, "y": a + b}
    write(file, columns | {"t": 1.7e9 + 1e3 * rng.standard_normal(ROWS)})


@pytest.mark.parametrize("method", ["moments", "qr"])
def test_rounding_is_that_of_each_column(method, tmp_path):
    """A time of 1.7e9 +- 1e3 in double precision hides nothing in another column."""
    near(tmp_path / "a.parquet", pa.float32(), 1e-2)
    moments = tw.Moments.from_parquet(
        tmp_path / "a.parquet", ["y"], center=True, method=method
    )
    assert moments.rank == 3


def test_the_least_precise_file_counts(tmp_path):
    near(tmp_path / "a.parquet", pa.float64(), 1e-5)
    near(tmp_path / "b.parquet", pa.float16(), 1e-5)
    assert streamed(tmp_path, ["y"]).precision == (2.0**-10, 2.0**-52, 2.0**-52)


def test_a_large_row_group_is_read_in_parts(tmp_path, monkeypatch):
    matrix = np.column_stack(samples())
    file = write(tmp_path / "a.parquet", named(matrix, 2), 5000, compression="zstd")
    whole = streamed(file, ["y0"]).sums
    monkeypatch.setattr(pieces, "CELLS", 6 * 700)
    parts = streamed(file, ["y0"]).sums
    assert parts.rows == whole.rows
    sizes = np.sqrt(whole.squares)
    gap = np.abs(parts.matrix - whole.matrix) / np.outer(sizes, sizes)
    assert gap.max() <= 1e-13


def test_a_url_is_read_like_a_path(folder):
    one = tw.Moments.from_parquet(folder, ["y0"], center=True)
    other = tw.Moments.from_parquet(folder.as_uri(), ["y0"], center=True)
    same_arrays(one.labels_factor, other.labels_factor)


def test_folders_are_searched_and_hidden_files_left_alone(folder):
    expected = streamed(folder, ["y0"]).sums.matrix
    deep = folder / "c" / "part=1"
    deep.mkdir(parents=True)
    (folder / "_SUCCESS").write_text("")
    (folder / ".a.parquet.crc").write_text("no")
    (folder / "notes.txt").write_text("no")
    (folder / "b.parquet").rename(deep / "b.parquet")
    same_arrays(streamed(folder, ["y0"]).sums.matrix, expected)


def test_many_small_row_groups_are_read_together(tmp_path, monkeypatch):
    counted = []

    def counting(columns, triangular):
        counted.append(len(columns[0]))
        return sums_of(columns, triangular)

    monkeypatch.setattr(pieces, "sums_of", counting)
    rng = np.random.default_rng(8)
    x = rng.standard_normal(20_000)
    x[12_345] = np.nan
    file = tmp_path / "a.parquet"
    write(file, {"x": x, "y": x}, 2, write_statistics=False)
    found = streamed(file, ["y"], on_bad="skip")
    assert counted == [4096, 4096, 4096, 4096, 4095, 3616]
    assert found.named[0].row == 12_346
    _, expected = exact(np.delete(x, 12_345)[:, None])
    assert abs(float(found.sums.matrix[0, 1] / expected[0, 0]) - 1) <= 1e-12


def test_pieces_of_wide_tables_outweigh_their_sums(tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "CELLS", 2)
    table = dict.fromkeys([f"x{k}" for k in range(50)], np.arange(1000.0))
    system, files, columns = planning.planned(
        str(write(tmp_path / "a.parquet", table, 100)), ["x0"], None
    )
    tasks = planning.tasks_of(system, files, columns, "moments")
    assert [task.rows for task in tasks] == [200] * 5


@pytest.mark.parametrize(
    ("link", "to", "sentence"),
    [
        ("c.parquet", "nowhere", "^c.parquet is a link that leads nowhere"),
        ("c.parquet", "a.parquet", "^a.parquet and c.parquet are one file"),
        ("c", ".", "^a.parquet and c/a.parquet are one file"),
    ],
)
def test_links_neither_lose_rows_nor_double_them(link, to, sentence, folder, tmp_path):
    (folder / link).symlink_to(folder / to)
    with pytest.raises(DataError, match=sentence):
        streamed(folder, ["y0"])
    (folder / link).unlink()
    (tmp_path / "link").symlink_to(folder)
    same_arrays(
        streamed(tmp_path / "link", ["y0"]).sums.matrix,
        streamed(folder, ["y0"]).sums.matrix,
    )


def test_what_is_no_file_is_told(folder):
    os.mkfifo(folder / "c.parquet")
    for path, name in ((folder, "c.parquet"), (folder / "c.parquet", "neither a file")):
        with pytest.raises(DataError, match=name):
            streamed(path, ["y0"])


def ill_conditioned(tmp_path):
    rng = np.random.default_rng(5)
    sizes = 10.0 ** np.linspace(0, -7.5, 8)
    turn = np.linalg.qr(rng.standard_normal((8, 8)))[0]
    x = (rng.standard_normal((ROWS, 8)) * sizes) @ turn
    y = x @ turn.T[:, -3:] + rng.standard_normal((ROWS, 3)) * 1e-6
    return x, y, write(tmp_path / "a.parquet", named(np.column_stack([x, y]), 3))


def test_triangles_keep_directions_that_products_lose(tmp_path):
    x, y, file = ill_conditioned(tmp_path)
    targets = ["y0", "y1", "y2"]
    options = {"center": True, "whiten": True}
    known = tw.Moments.from_data(x, y, **options)
    found = tw.Moments.from_parquet(file, targets, method="qr", **options)
    assert (found.rank, known.rank) == (8, 8)
    scale = float(np.max(np.abs(known.target)))
    assert float(np.max(np.abs(found.target - known.target))) <= 1e-7 * scale
    assert float(abs(found.constant / known.constant - 1)) <= 1e-8
    lost = tw.Moments.from_parquet(file, targets, **options)
    assert lost.rank == 6
    assert any("not told from rounding" in line for line in lost.preparation.lines())


MISTAKES = {
    "missing": (np.nan, "is missing"),
    "infinite": (-np.inf, "is infinite"),
    "large": (2e150, "is 2e+150, whose square leaves float64"),
    "cancelling": (-2e150, "is 2e+150, whose square leaves float64"),
}


def spoiled(folder, kind):
    """Put bad numbers into rows 1703 and 1710 of the second file."""
    x, y = samples()
    x[4202, 1], x[4209, 1] = MISTAKES[kind][0], MISTAKES[kind][0]
    if kind == "cancelling":
        x[4202, 1] = 2e150
    table = np.column_stack([x, y])
    write(folder / "b.parquet", named(table[2500:], 2), 1000)
    return np.delete(x, [4202, 4209], 0), np.delete(y, [4202, 4209], 0)


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_bad_row_is_named(kind, folder):
    spoiled(folder, kind)
    place = rf"^row 1703 of column 'x1' in b.parquet {MISTAKES[kind][1]}"
    pattern = place.replace("+", r"\+") + ".*2 bad rows.*on_bad='skip'"
    with pytest.raises(DataError, match=pattern):
        tw.Moments.from_parquet(folder, ["y0", "y1"], center=True)


@pytest.mark.parametrize("kind", MISTAKES)
def test_bad_rows_are_left_out_and_counted(kind, folder):
    x, y = spoiled(folder, kind)
    found = tw.Moments.from_parquet(
        folder, ["y0", "y1"], center=True, on_bad="skip", method="qr"
    )
    known = tw.Moments.from_data(x, y, center=True)
    assert found.samples == ROWS - 2
    gap = np.max(np.abs(found.target - known.target))
    assert gap <= 1e-12 * np.max(np.abs(known.target))
    assert "left out 2 bad rows: row 1703 of column 'x1'" in found.preparation.note


def test_the_first_bad_row_is_named_whatever_comes_first(folder):
    for name in ("a", "b"):
        table = pq.read_table(folder / f"{name}.parquet").to_pydict()
        table["x0"][-1] = None
        write(folder / f"{name}.parquet", table, 500)
    with pytest.raises(
        DataError, match=r"row 2500 of column 'x0' in a.parquet is miss"
    ):
        streamed(folder, ["y0"], engine=Backwards())


def test_nothing_but_bad_rows_is_told(tmp_path):
    file = write(tmp_path / "a.parquet", {"x": [np.nan, 1.0], "y": [1.0, np.inf]})
    with pytest.raises(DataError, match="0 usable rows; it needs two or more"):
        streamed(file, ["y"], on_bad="skip")


def cut(file):
    file.write_bytes(file.read_bytes()[:-5])


def scratch(file):
    data = bytearray(file.read_bytes())
    data[60:5000] = b"\x07" * 4940
    file.write_bytes(bytes(data))


def columns_of(**changes):
    def rewrite(file):
        table = pq.read_table(file).to_pydict()
        table = {name: changes.get(name, cells) for name, cells in table.items()}
        table |= {name: cells for name, cells in changes.items() if cells is not None}
        write(file, {n: c for n, c in table.items() if c is not None})

    return rewrite


FAULTS = {
    "half written": (cut, "^b.parquet is half written.*footer"),
    "empty": (lambda f: f.write_bytes(b""), "^b.parquet is empty"),
    "not Parquet": (lambda f: f.write_text("a,b\n1,2\n" * 9), "is not a Parquet file"),
    "column gone": (columns_of(x1=None), "b.parquet has no column 'x1', which a.parq"),
    "target gone": (columns_of(y0=None), "b.parquet has no column 'y0', which a.parq"),
    "text": (columns_of(x2=["t"] * 3500), "b.parquet holds string in column 'x2'"),
    "new column": (columns_of(new=[1.0] * 3500), "b.parquet has a column 'new' that"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_file_in_a_folder_is_named(fault, folder):
    spoil, sentence = FAULTS[fault]
    spoil(folder / "b.parquet")
    with pytest.raises(DataError, match=sentence) as told:
        tw.Moments.from_parquet(folder, ["y0"])
    assert "\n" not in str(told.value)


def test_damaged_pages_are_told(tmp_path):
    file = tmp_path / "a.parquet"
    write(file, named(np.column_stack(samples()), 2), 1000, compression="zstd")
    scratch(file)
    with pytest.raises(DataError, match=r"a.parquet is damaged in row groups 1 to 4: "):
        streamed(file, ["y0"])


def test_types_of_numbers_may_change_between_files(folder):
    table = pq.read_table(folder / "b.parquet")
    table = table.set_column(0, "x0", table.column(0).cast(pa.float32()))
    pq.write_table(table.select(table.column_names[::-1]), folder / "b.parquet")
    assert streamed(folder, ["y0"]).sums.rows == ROWS


@pytest.mark.parametrize(
    ("options", "kind", "sentence"),
    [
        ({"targets": ["z"]}, UnknownName, "no entry 'z' on the columns of a.parquet"),
        ({"targets": []}, DomainError, "targets is empty"),
        ({"features": ["x0", "x0"]}, DomainError, "features name 'x0' twice"),
        ({"features": ["y0"]}, DomainError, "'y0' is among the targets and the feat"),
        ({"on_bad": "drop"}, DomainError, "on_bad is 'drop'"),
        ({"method": "svd"}, DomainError, "method is 'svd'"),
        ({"center": "labels"}, DomainError, "center is 'labels'"),
    ],
)
def test_what_is_asked_wrongly_is_told(options, kind, sentence, folder):
    asked = {"targets": ["y0"], **options}
    with pytest.raises(kind, match=sentence):
        tw.Moments.from_parquet(folder, asked.pop("targets"), **asked)


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("nowhere", "there is no file or folder"),
        ("", "holds no files that end in .parquet"),
        ("none.parquet", "holds no rows"),
        ("odd://x", "cannot be opened"),
        ("file://elsewhere/x", "cannot be opened"),
        ("odd:x", "there is no file or folder .*odd:x; check the path"),
        ("a\0b", "cannot be opened"),
    ],
)
def test_a_place_without_data_is_told(place, sentence, tmp_path):
    if place.endswith("parquet"):
        write(
            tmp_path / place,
            {"x": pa.array([], pa.float64()), "y": pa.array([1.0])[:0]},
        )
    path = place if "://" in place else tmp_path / place
    with pytest.raises(DataError, match=sentence):
        streamed(path, ["y"])


def test_an_empty_path_is_not_this_folder():
    with pytest.raises(DataError, match="the path is empty"):
        streamed("", ["y"])


def test_pages_that_change_while_they_are_read_are_noticed(folder):
    """The footer is what it was."""

    class Meddling:
        def map(self, function, tasks):
            data = bytearray((folder / "b.parquet").read_bytes())
            data[90] ^= 1
            (folder / "b.parquet").write_bytes(data)
            yield from enumerate(map(function, tasks))

    with pytest.raises(DataError, match=r"b.parquet changed while it was read"):
        streamed(folder, ["y0"], engine=Meddling())


def test_a_file_that_changes_while_it_is_read_is_noticed(folder):
    class Meddling:
        def map(self, function, tasks):
            (folder / "b.parquet").write_bytes((folder / "a.parquet").read_bytes())
            yield from enumerate(map(function, tasks))

    with pytest.raises(DataError, match=r"b.parquet changed while it was read"):
        streamed(folder, ["y0"], engine=Meddling())


KILLED = """
import os, signal, sys
import thalweg as tw
from thalweg.problem._streaming import planning
planning.CELLS = 6000
left = int(sys.argv[3])

def look(progress):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

tw.Moments.from_parquet(sys.argv[1], ["y0"], parts=sys.argv[2], on_progress=look)
"""


def test_a_killed_sum_goes_on_where_it_stopped(folder, tmp_path):
    parts, told = tmp_path / "parts", []
    expected = streamed(folder, ["y0"]).sums
    command = [sys.executable, "-c", KILLED, str(folder), str(parts), "3"]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    finished = sorted(parts.glob("part-*.npz"))
    assert len(finished) >= 3
    found = streamed(folder, ["y0"], parts=parts, on_progress=told.append).sums
    same_arrays(found.matrix, expected.matrix)
    same_arrays(found.low, expected.low)
    assert told[-1].kept_rows >= 2000
    assert told[-1].rows == told[-1].total_rows == ROWS
    streamed(folder, ["y0"], parts=parts, on_progress=told.append)
    assert told[-1].kept_rows == ROWS
    assert not list(parts.glob(".*"))


def test_an_interrupted_sum_leaves_its_parts(folder, tmp_path):
    parts, told = tmp_path / "parts", []

    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        streamed(folder, ["y0"], parts=parts, on_progress=stop)
    streamed(folder, ["y0"], parts=parts, on_progress=told.append)
    assert 0 < told[0].kept_rows < ROWS


def test_a_changed_file_is_read_again_and_told(folder, tmp_path):
    parts, told = tmp_path / "parts", []
    streamed(folder, ["y0"], parts=parts)
    x, y = samples(seed=9)
    table = np.column_stack([x, y])
    write(folder / "b.parquet", named(table[2500:], 2), 1000)
    found = streamed(folder, ["y0"], parts=parts, on_progress=told.append)
    same_arrays(found.sums.matrix, streamed(folder, ["y0"]).sums.matrix)
    assert told[-1].changed == ("b.parquet",)
    assert 0 < told[-1].kept_rows <= 2500
    assert "read again, having changed" in found.note
    json.dumps(told[-1].to_json(), allow_nan=False)


def test_a_damaged_part_is_made_again(folder, tmp_path):
    parts, told = tmp_path / "parts", []
    expected = streamed(folder, ["y0"], parts=parts).sums.matrix
    first, second, *_ = sorted(parts.glob("part-*.npz"))
    first.write_bytes(first.read_bytes()[:-40])
    data = bytearray(second.read_bytes())
    data[400] ^= 1
    second.write_bytes(bytes(data))
    found = streamed(folder, ["y0"], parts=parts, on_progress=told.append)
    same_arrays(found.sums.matrix, expected)
    assert told[-1].kept_rows < ROWS


def test_a_part_under_the_name_of_another_is_made_again(folder, tmp_path):
    parts = tmp_path / "parts"
    expected = streamed(folder, ["y0"], parts=parts).sums.matrix
    first, second, *_ = sorted(parts.glob("part-*.npz"))
    second.write_bytes(first.read_bytes())
    same_arrays(streamed(folder, ["y0"], parts=parts).sums.matrix, expected)


def test_a_kill_before_anything_is_kept_does_no_harm(folder, tmp_path):
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / ".files.json.part").write_text("{")
    streamed(folder, ["y0"], parts=parts)
    assert not list(parts.glob(".*"))


def test_parts_serve_other_preparations_and_no_other_columns(folder, tmp_path):
    parts, told = tmp_path / "parts", []
    tw.Moments.from_parquet(folder, ["y0"], parts=parts)
    options = {"parts": parts, "on_progress": told.append}
    tw.Moments.from_parquet(folder, ["y0"], center=True, whiten=True, **options)
    assert told[-1].kept_rows == ROWS
    tw.Moments.from_parquet(folder, ["y1"], center=True, **options)
    assert told[-1].kept_rows == 0


def test_a_folder_of_other_things_takes_no_parts(folder):
    with pytest.raises(StoreError, match="holds something else than parts"):
        streamed(folder, ["y0"], parts=folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unwritable to root")
def test_an_unwritable_folder_of_parts_is_told(folder, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="could not be written"):
        streamed(folder, ["y0"], parts=tmp_path / "parts")


@pytest.mark.parametrize(
    "make",
    [
        lambda f: tw.Moments.from_parquet(f, ["y0"], center=True, whiten=True),
        lambda f: tw.Moments.from_parquet(f, ["y0"], bias=True, labels="unit"),
        lambda f: tw.Moments.whitened(np.ones((2, 3))),
    ],
)
def test_saved_moments_come_back_bit_for_bit(make, folder, tmp_path):
    moments = make(folder)
    again = tw.Moments.load(moments.save(tmp_path / "saved"))
    assert jax.tree.structure(again) == jax.tree.structure(moments)
    pairs = zip(jax.tree.leaves(again), jax.tree.leaves(moments), strict=True)
    for one, other in pairs:
        same_arrays(one, other)
    with pytest.raises(StoreError, match="not a saved result"):
        tw.Moments.load(folder)
