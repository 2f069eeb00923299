"""Everything about data: sources, the interaction store, queries. Runs without Streamlit and Plotly."""

__version__ = "0.1.0"
