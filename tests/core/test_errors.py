"""What an error says to a command line, and what a page says of it."""

import pickle

from deconv_core.errors import ANEW, UPDATE, DeconvError, IndexMismatchError, Remedy

ERROR = IndexMismatchError("the index is of another network", "use the same network", ANEW)


def test_a_command_line_is_told_what_helps_and_how() -> None:
    assert str(ERROR) == (
        "the index is of another network; use the same network, or scan the images anew "
        "(`python -m deconv_core scan FOLDER --index INDEX --anew`, anew=True)"
    )
    assert str(DeconvError("no layer")) == "no layer"
    assert str(DeconvError()) == ""


def test_a_page_is_told_no_commands_and_not_what_it_offers_itself() -> None:
    assert ERROR.in_words() == (
        "the index is of another network; use the same network, or scan the images anew"
    )
    assert ERROR.in_words(offered=[ANEW, UPDATE]) == (
        "the index is of another network; use the same network"
    )
    assert IndexMismatchError("no", UPDATE).in_words(offered=[UPDATE]) == "no"


def test_an_error_of_another_process_arrives_as_it_was() -> None:
    again = pickle.loads(pickle.dumps(ERROR))
    assert type(again) is IndexMismatchError
    assert (again.what, again.remedies) == (ERROR.what, (Remedy("use the same network"), ANEW))
