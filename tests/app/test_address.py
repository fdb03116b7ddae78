"""The address that a page shows, while the browser is behind."""

from streamlit.testing.v1 import AppTest


def behind() -> None:
    """A page that sees a change of a job while the browser still has the previous address."""
    import streamlit as st

    from deconv_dashboard.frame import address
    from deconv_dashboard.frame.job_rows import watched

    if "begun" not in st.session_state:
        st.session_state["begun"] = True
        address.settle("start", {"network": "n", "dataset": "old"})
        address.visit("start", dataset="new")  # as the callback of a button
    shown = address.asked("start")
    address.settle("start", shown)
    st.text(shown["dataset"])
    looks = st.session_state.setdefault("looks", [])

    def look() -> int:
        looks.append(1)
        if len(looks) == 2:  # the fragment's own look, with what its request brought along
            st.query_params["dataset"] = "old"
        return min(len(looks), 2)

    watched(look, lambda seen: None, jobs=lambda seen: [], also=lambda: len(looks) >= 2)


def test_a_watch_does_not_go_back_to_the_address_before() -> None:
    app = AppTest.from_function(behind).run()
    assert not app.exception
    assert len(app.session_state["looks"]) > 2  # the page did run again
    assert app.text[0].value == "new"
    assert app.query_params["dataset"] == "new"
