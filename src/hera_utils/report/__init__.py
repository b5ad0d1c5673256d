"""A run as a report: one HTML page that needs nothing else, or Markdown for a paper.

In: a whole run, its results, facts about its origin. Out: texts; and, when a run has ended, the files in the folder of its record
(report, results, manifest).

Begin with run_folder.py. page_data.py is the report's content as JSON, with graph.py (boxes and edges) and plots.py (which pictures);
page_html.py puts it into the page, whose script and style are the files of page/; markdown.py writes it as Markdown.
"""
