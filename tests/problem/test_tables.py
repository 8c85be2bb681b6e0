"""Files of samples: what is read, and the sentence for each fault."""

import zipfile
from decimal import Decimal

import numpy as np
import pytest

from thalweg._core.errors import DataError, DomainError, UnknownName
from thalweg.problem.moments import Moments
from thalweg.problem.tables import read_table

GOOD = "age,sex,dose,effect\n30,1,0.5,1\n40,0,1e-1,2\n50,1,3,4\n"


@pytest.fixture
def written(tmp_path):
    def write(content, name="trial.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_all_other_columns_are_features(written):
    table = read_table(written(GOOD), ["effect"])
    assert table.feature_names == ("age", "sex", "dose")
    np.testing.assert_array_equal(table.inputs[1], [40, 0, 0.1])
    np.testing.assert_array_equal(table.labels, [[1], [2], [4]])
    assert table.note == "read from trial.csv"


def test_columns_come_in_the_order_asked(written):
    table = read_table(written(GOOD), ["effect", "age"], ["dose", "sex"])
    assert table.label_names == ("effect", "age")
    np.testing.assert_array_equal(table.inputs[:, 0], [0.5, 0.1, 3])


def test_a_single_name_is_a_list_of_one(written):
    assert read_table(written(GOOD), "effect", "age").feature_names == ("age",)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_are_seen(written, delimiter):
    table = read_table(written(GOOD.replace(",", delimiter)), ["effect"])
    assert table.inputs.shape == (3, 3)


def test_marks_and_quotes_and_line_ends_are_read(written):
    text = '\ufeff"a, b",c\r\n"1",2\r\n\r\n3, 5 \r\n'
    table = read_table(written(text), ["c"])
    assert table.feature_names == ("a, b",)
    np.testing.assert_array_equal(table.labels[:, 0], [2, 5])


def test_columns_of_text_are_left_out_and_told(written):
    table = read_table(written("who,x,y\nAnn,1,2\nBob,2,3\n"), ["y"])
    assert table.feature_names == ("x",)
    assert "left out, being text: who" in table.note


def test_moments_of_a_file(written):
    moments = Moments.from_file(written(GOOD), ["effect"], center=True, labels="unit")
    expected = np.linalg.norm(moments.target)
    np.testing.assert_allclose(expected, 1.0, rtol=1e-14)
    assert moments.samples == 3
    assert moments.label_names == ("effect",)
    assert moments.preparation.lines()[-1] == "read from trial.csv"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"trial.csv is empty; it must hold"),
        ("\n\n", "is empty; its first line must name"),
        ("x,y\n", "a header but no rows"),
        ("x,y\n1,2\n", "holds 1 row; it needs two or more"),
        ("x,y\n1,2\n3\n", r"row 2 \(line 3\) has 1 cells, the header 2"),
        ("x,y\n1,2\n3,4,5\n", r"row 2 \(line 3\) has 3 cells"),
        ("x,x,y\n1,2,3\n4,5,6\n", "2 columns named 'x'"),
        (",x,y\n0,1,2\n1,3,5\n", "column 1 has no name"),
        ("1.5,2\n3,4\n5,6\n", "first line holds numbers only"),
        ("x,y\n1,2\nabc,4\n", "column 'x' holds text, first in row 2: 'abc'"),
        ("x,y\n1,b\n2,c\n", "column 'y' holds text, first in row 1: 'b'"),
        ("x,y\n1,2\n,4\nNA,5\n", "2 values .* first in row 2 of column 'x'"),
        ("x,y\n1,2\n3,nan\n", "1 values .* row 2 of column 'y'"),
        ("x,y\n1,2\ninf,3\n", "missing or infinite"),
        ("who,y\na,2\nb,3\n", "no column of numbers beside the targets"),
        (b"x,y\n1,\xff\n", "not UTF-8"),
        ('x,y\n1,"2\n3,4\n', "cannot be read as .csv"),
        ('x,y\n1,"2"3\n', "cannot be read as .csv"),
    ],
)
def test_each_fault_of_a_csv_file_has_its_sentence(written, content, message):
    with pytest.raises(DataError, match=message):
        read_table(written(content), ["y"])


def test_integers_may_name_columns(written):
    assert read_table(written("0,1\n5,6\n7,8\n"), ["1"]).inputs[0, 0] == 5


def test_all_features_constant(written):
    path = written("x,y\n1,2\n1,3\n1,5\n")
    with pytest.raises(DataError, match="all 1 features are constant"):
        Moments.from_file(path, ["y"], center=True)


@pytest.mark.parametrize(
    ("targets", "features", "error", "message"),
    [
        (["efect"], None, UnknownName, "columns of trial.csv. Did you mean 'effect'"),
        (["effect"], ["agee"], UnknownName, "Did you mean 'age'"),
        (["effect"], ["age", "effect"], DomainError, "among the targets and the feat"),
        (["effect", "effect"], None, DomainError, "targets name 'effect' twice"),
        ([], None, DomainError, "targets is empty"),
        (["effect"], [], DomainError, "features is empty"),
        (None, None, DataError, "targets came empty .* It holds: age, sex, dose"),
    ],
)
def test_each_fault_of_the_names_has_its_sentence(
    written, targets, features, error, message
):
    with pytest.raises(error, match=message):
        read_table(written(GOOD), targets, features)


def test_no_such_file(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        read_table(tmp_path / "none.csv", ["y"])


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(DataError, match="is a folder"):
        read_table(tmp_path, ["y"])


def test_an_unknown_suffix(written):
    with pytest.raises(DataError, match=r"ends in '\.xlsx'; files that can be read"):
        read_table(written("x", "trial.xlsx"), ["y"])


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_a_damaged_file(written, suffix):
    with pytest.raises(DataError, match=f"cannot be read as {suffix}"):
        read_table(written(b"not what its name says" * 9, f"trial{suffix}"), ["y"])


def test_a_truncated_archive(tmp_path):
    path = tmp_path / "trial.npz"
    np.savez_compressed(path, X=np.random.default_rng(0).random((40, 3)), y=np.ones(40))
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match=r"cannot be read as \.npz"):
        read_table(path)


@pytest.mark.parametrize(("inputs", "labels"), [("inputs", "labels"), ("X", "y")])
def test_usual_arrays_need_no_names(tmp_path, inputs, labels):
    path = tmp_path / "trial.npz"
    x = np.arange(6.0).reshape(3, 2)
    np.savez(path, **{inputs: x, labels: np.arange(3), "rest": np.zeros((5, 5, 5))})
    table = read_table(path)
    np.testing.assert_array_equal(table.inputs, x)
    assert table.feature_names == (f"{inputs}[0]", f"{inputs}[1]")
    assert table.label_names == (labels,)


def test_arrays_and_their_columns_have_names(tmp_path):
    path = tmp_path / "trial.npz"
    x = np.arange(12.0).reshape(4, 3)
    np.savez(path, a=x, b=np.arange(4), a_names=["u", "v", "w"])
    table = read_table(path, ["w"])
    assert table.feature_names == ("u", "v", "b")
    assert read_table(path, ["a"]).label_names == ("u", "v", "w")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.ones(3), "y": np.ones(4)}, "'y' has 4 rows and 'x' 3"),
        ({"x": np.ones((3, 2, 2)), "y": np.ones(3)}, r"'x' has shape \(3, 2, 2\)"),
        ({"x": np.array([{}, {}]), "y": np.ones(2)}, "holds Python objects"),
        ({"x": np.ones(3) * 1j, "y": np.ones(3)}, "complex128"),
        (
            {"x": np.ones((3, 2)), "x_names": ["a"], "y": np.ones(3)},
            r"2 columns but x_names is of shape \(1,\)",
        ),
        (
            {"x": np.ones((3, 2)), "x_names": ["a", "a"], "y": np.ones(3)},
            "two columns are named 'a'",
        ),
        ({"x": np.array([1.0, np.nan]), "y": np.ones(2)}, "row 2 of column 'x'"),
    ],
)
def test_each_fault_of_an_archive_has_its_sentence(tmp_path, arrays, message):
    path = tmp_path / "trial.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=message):
        read_table(path, ["y"])


def test_unusable_arrays_do_not_matter_if_not_named(tmp_path):
    path = tmp_path / "trial.npz"
    np.savez(path, x=np.arange(3), y=np.ones(3), images=np.ones((3, 2, 2)))
    assert read_table(path, ["y"], ["x"]).inputs.shape == (3, 1)


def test_a_single_array_is_no_archive(tmp_path):
    np.save(tmp_path / "trial.npy", np.ones(3))
    path = (tmp_path / "trial.npy").rename(tmp_path / "trial.npz")
    with pytest.raises(DataError, match="single array"):
        read_table(path, ["y"])


def test_an_empty_archive(tmp_path):
    path = tmp_path / "trial.npz"
    with zipfile.ZipFile(path, "w"):
        pass
    with pytest.raises(DataError, match="holds no arrays"):
        read_table(path, ["y"])


@pytest.fixture
def parquet(tmp_path):
    arrow = pytest.importorskip("pyarrow", reason="reads Parquet")
    pytest.importorskip("pyarrow.parquet", reason="reads Parquet")

    def write(**columns):
        path = tmp_path / "trial.parquet"
        arrow.parquet.write_table(arrow.table(columns), path)
        return path

    return write


def test_parquet_columns_of_every_kind_of_number(parquet):
    path = parquet(
        whole=[1, 2, 3],
        real=[0.5, 1.5, 2.5],
        truth=[True, False, True],
        exact=[Decimal("1.5"), Decimal("2.5"), Decimal("4.5")],
        who=["a", "b", "c"],
        y=[1.0, 2.0, 3.0],
    )
    table = read_table(path, ["y"])
    assert table.feature_names == ("whole", "real", "truth", "exact")
    np.testing.assert_array_equal(table.inputs[2], [3, 2.5, 1, 4.5])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1, None, 3], "1 values .* row 2 of column 'x'"),
        ([1.0, 2.0, None], "row 3 of column 'x'"),
        ([True, None, True], "row 2 of column 'x'"),
        (["1", "b", "3"], "no column of numbers"),
        ([[1], [2], [3]], "no column of numbers"),
    ],
)
def test_each_fault_of_parquet_has_its_sentence(parquet, column, message):
    with pytest.raises(DataError, match=message):
        read_table(parquet(x=column, y=[1.0, 2.0, 3.0]), ["y"])


def test_parquet_without_rows(parquet):
    with pytest.raises(DataError, match="holds no rows"):
        read_table(parquet(x=[], y=[]), ["y"])
